"""Nested as an Airflow DAG, exported from flow.py.

Do not edit: change the flow and export it again.
"""

from airflow.sdk import DAG
from metaflow_airflow.operators import MetaflowFlow, Pod

POD = Pod(image="steps:1")
flow = MetaflowFlow(
    "Nested",
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
    "Nested",
    schedule=None,
    catchup=False,
    default_args={"owner": "ann"},
    tags=["metaflow"],
) as dag:
    flow.step("start", pod=POD)
    flow.step("region", after="start", each="start", pod=POD)
    flow.items("region")

    @flow.each("region")
    def region_to_open_days():
        flow.step("shop", after="region", pod=POD)
        flow.step("stock", after="shop", pod=POD)
        flow.step("staff", after="shop", pod=POD)
        flow.step("shop_join", after=["staff", "stock"], pod=POD)
        flow.step("open_days", after="shop_join", pod=POD)

    flow.items("open_days")

    @flow.each("open_days")
    def open_days_to_day_end():
        flow.step("day", after="open_days", chooses=["closed", "sell"], pod=POD)
        flow.step("closed", after="day", pod=POD)
        flow.step("sell", after="day", pod=POD)
        flow.step("day_end", after=["closed", "sell"], pod=POD)

    flow.step("days_join", after="day_end", each="region", pod=POD)

    @flow.each("start")
    def start_to_after_shops():
        flow.step("shops_join", after="days_join", pod=POD)
        flow.step("after_shops", after="shops_join", pod=POD)

    flow.step("regions_join", after="after_shops", pod=POD)
    flow.step("end", after="regions_join", pod=POD)
