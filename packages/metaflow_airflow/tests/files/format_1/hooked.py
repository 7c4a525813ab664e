"""Hooked as an Airflow DAG, exported from flow.py.

Do not edit: change the flow and export it again.
"""

from airflow.sdk import DAG
from metaflow_airflow.operators import MetaflowFlow, Pod

POD = Pod(image="steps:1")
flow = MetaflowFlow(
    "Hooked",
    script="flow.py",
    code="s3://b/c",
    code_sha="3f9c",
    datastore="s3",
    datastore_root="s3://b",
    options=["--metadata=service"],
    decorators=["card"],
    owner="ann",
    production_token="flow-0-abcd",
    environment={"METAFLOW_CARD_S3ROOT": "s3://b/cards"},
    exported_by="0.1.0",
)

with DAG(
    "Hooked",
    schedule=None,
    catchup=False,
    default_args={"owner": "ann"},
    tags=["metaflow"],
) as dag:
    flow.step("start", pod=POD)
    flow.step("work", after="start", each="start", pod=POD)
    flow.step("join", after="work", pod=POD)
    flow.step("end", after="join", pod=POD)
    flow.exit_hooks(on_success=["broken", "celebrate"], on_error=["mourn"])
