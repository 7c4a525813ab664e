"""Which runs are waited for where events start them, by a client that answers as this one does."""

from typing import Any, cast

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, UnreachableError
from pipeline import by_events
from pipeline.by_events import Events
from pipeline.flows import DATA_DAG, PREDICT, TRAIN
from pipeline.options import Options
from pipeline.outcome import Run

MAIN = Run(DATA_DAG, "main", state="success")
KEYS = ("green/2023-12", "green/2024-01")


def event(dag_id: str, run_id: str, key: str) -> dict[str, str]:
    return {"source_dag_id": dag_id, "source_run_id": run_id, "partition_key": key}


class Client:
    """Of each month that the main run published a training, of one of them a prediction."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.started = {
            (TRAIN.dag_id, "t1"): event(DATA_DAG, "main", KEYS[0]),
            (TRAIN.dag_id, "t2"): event(DATA_DAG, "main", KEYS[1]),
            (TRAIN.dag_id, "another pipeline's"): event(DATA_DAG, "another", KEYS[0]),
            (PREDICT.dag_id, "p1"): event(TRAIN.dag_id, "t1", KEYS[0]),
            (PREDICT.dag_id, "another pipeline's"): event(TRAIN.dag_id, "t0", KEYS[0]),
        }
        self.queued = {"t2"}

    def runs(self, dag_id: str, **only: str) -> Any:
        assert only == {"run_type": "asset_triggered", "start_date_gte": "then"}
        return [{"dag_run_id": run} for dag, run in self.started if dag == dag_id]

    def events_of_run(self, dag_id: str, run_id: str) -> Any:
        self.asked.append(run_id)
        if run_id in self.queued:
            raise UnreachableError("500")
        return [self.started[dag_id, run_id]]


def test_the_runs_of_each_published_month_are_found_and_no_others() -> None:
    client = Client()
    events = Events(cast(AirflowClient, client), Options().awaited, "then")

    found = events.find([MAIN])
    assert [(run.run_id, run.partition) for run in found] == [("t1", KEYS[0]), ("p1", KEYS[0])]

    client.queued.clear()
    client.asked.clear()
    found += (more := events.find([MAIN, *found]))
    assert [(run.run_id, run.partition) for run in more] == [("t2", KEYS[1])]
    assert client.asked == ["t2"], "what is known already is not asked for again"
    assert events.number == 4


def test_what_never_comes_is_said_with_the_setting_that_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = Events(cast(AirflowClient, Client()), Options().awaited, "then")
    assert events.lacking([MAIN]) == "", "it may still come"

    monkeypatch.setattr(by_events, "_PATIENCE", 0.0)
    said = events.lacking([MAIN, Run(TRAIN.dag_id, "t1")])
    assert f"events started 1 runs of {TRAIN.dag_id}" in said
    assert "AIRFLOW__CORE__ASSET_MANAGER_CLASS=metaflow_airflow.operators" in said

    every = [Run(flow.dag_id, str(n)) for flow in (TRAIN, PREDICT) for n in range(2)]
    assert events.lacking([MAIN, *every]) == ""


def test_a_chain_waits_for_no_event() -> None:
    assert Options(chain=True).awaited == {}
    assert Options(source="generator").partition == "made-up/green/2024-01"
