"""MaybeFan as an Airflow DAG, exported from flow.py.

Do not edit: change the flow and export it again.
"""

from airflow.sdk import DAG
from metaflow_airflow.operators import MetaflowFlow

flow = MetaflowFlow(
    "MaybeFan",
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
    "MaybeFan",
    schedule=None,
    catchup=False,
    default_args={"owner": "ann"},
    tags=["metaflow"],
) as dag:
    flow.step("start", timeout=90)

    @flow.each("start")
    def start_to_small():
        flow.step("sort", after="start", chooses=["split", "small"], timeout=90)
        flow.step("split", after="sort", timeout=90)
        flow.step("small", after="sort", timeout=90)

    flow.items("split")
    flow.step("part", after="split", each="split", timeout=90)

    @flow.each("start")
    def start_to_sorted():
        flow.step("whole", after="part", timeout=90)
        flow.step("sorted", after=["small", "whole"], timeout=90)

    flow.step("join", after="sorted", timeout=90)
    flow.step("end", after="join", timeout=90)
