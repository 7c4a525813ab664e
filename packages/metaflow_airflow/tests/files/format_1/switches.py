"""Switches as an Airflow DAG, exported from flow.py.

Do not edit: change the flow and export it again.
"""

from airflow.sdk import DAG
from metaflow_airflow.operators import MetaflowFlow

flow = MetaflowFlow(
    "Switches",
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
    "Switches",
    schedule=None,
    catchup=False,
    default_args={"owner": "ann"},
    tags=["metaflow"],
) as dag:
    flow.step("start", chooses=["fan", "deep", "end"])
    flow.step("fan", after="start")
    flow.step("deep", after="start", chooses=["x", "merge"])
    flow.step("work", after="fan", each="fan")
    flow.step("x", after="deep")
    flow.step("gather", after="work")
    flow.step("merge", after=["deep", "gather", "x"])
    flow.step("end", after=["merge", "start"])
