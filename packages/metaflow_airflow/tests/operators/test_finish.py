"""The end of a step whose pod the triggerer ran, where only a worker can end it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors
from metaflow_airflow.compat.airflow import AirflowFailException
from metaflow_airflow.operators import MetaflowFlow, Pod
from metaflow_airflow.plan.record import Record
from metaflow_airflow.plan.step import Deployment


@pytest.fixture
def end():
    from airflow.sdk import DAG

    record = Record(dag_id="Flow", flow="Flow", format=2, deployment=Deployment("flow.py"))
    flow = MetaflowFlow.load(record.to_json())
    with DAG("Flow", schedule=None):
        publishes = ["metaflow.Flow.end", "s3://lake/made"]
        return flow.step("end", pod=Pod(image="image:1"), publishes=publishes)


def test_its_event_carries_the_run_and_is_published_with_its_success(end):
    pushed: dict[str, Any] = {}
    context: dict[str, Any] = {
        "ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value})),
        "outlet_events": OutletEventAccessors(),
    }
    assert end.start_trigger_args.next_method == "finish"
    said = {"s3://lake/made": {"version": 7, "pathspec": "not theirs to say"}}
    end.finish(context, {"outcome": {"pathspec": "airflow-1/end/t-2", "assets": said}})

    assert pushed["metaflow"]["pathspec"] == "airflow-1/end/t-2"
    extra = context["outlet_events"][Asset("metaflow.Flow.end")].extra
    assert json.loads(json.dumps(extra))["pathspec"] == "Flow/airflow-1/end/t-2"
    assert "version" not in extra
    made = context["outlet_events"][Asset("s3://lake/made")].extra
    assert (made["version"], made["pathspec"]) == (7, "Flow/airflow-1/end/t-2")
    assert end.outlets == [Asset("metaflow.Flow.end"), Asset("s3://lake/made")]


def test_a_failure_is_final_and_publishes_nothing(end):
    with pytest.raises(AirflowFailException, match="got no pod"):
        end.finish({}, {"sentence": "Step end got no pod"})
    with pytest.raises(AirflowFailException, match="got no pod"):
        end.fail({}, {"sentence": "Step end got no pod"})  # as the release before deferred it
