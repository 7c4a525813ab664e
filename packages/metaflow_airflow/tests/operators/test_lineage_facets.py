"""What a step tells OpenLineage: by Airflow's own provider, to a real server."""

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.utils.state import TaskInstanceState
from http_receiver import receiving
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.operators import lineage_facets
from metaflow_airflow.operators.process import MetaflowProcessOperator
from metaflow_airflow.plan.step import Deployment, PlannedStep
from metaflow_airflow.wire.task import StepResult, StepTask
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset

UUID = "01900000-0000-7000-8000-000000000000"
NOW = datetime(2026, 11, 27, tzinfo=timezone.utc).isoformat()


@pytest.fixture
def ended():
    """A task whose step has read and written datasets, as it is on a worker at its end."""
    deployment = Deployment(
        "flow.py", "s3://b/code", "3f9c", "local", "/store", owner="ann", tags=("nightly",)
    )
    definition = StepDefinition("Flow", deployment, PlannedStep("fit"), (), 0, False, 0)
    task = StepTask(
        flow="Flow", script="flow.py", code_url="s3://b/code", code_sha="3f9c", datastore="local",
        datastore_root="/store", step="fit", run_id="run", task_id="t", attempt=2,
    )  # fmt: skip
    operator = MetaflowProcessOperator(task_id="fit", definition=definition)
    result = StepResult(
        ok=True, exit_code=0,
        read=("s3://features/2024-01.parquet", "metaflow://Train/1"), wrote=("/tmp/m",),
    )  # fmt: skip
    operator._ended = task, result, {"rate": 0.1}
    return operator


def extracted(operator, state=TaskInstanceState.SUCCESS):
    return ExtractorManager().extract_metadata(SimpleNamespace(run_id="r"), operator, state, None)


def tell(operator, url):
    """Send what the task says as the provider's listener does."""
    transport = {"type": "http", "url": url, "timeout": 2, "retry": {"total": 0}}
    OpenLineageAdapter(OpenLineageClient(config={"transport": transport})).complete_task(
        run_id=UUID, job_name="dag.fit", end_time=NOW, task=extracted(operator),
        nominal_start_time=None, nominal_end_time=None, owners=[], tags=[], job_description=None,
    )  # fmt: skip


def test_a_task_tells_what_it_read_and_wrote_and_which_metaflow_task_it_was(ended):
    with receiving() as receiver:
        tell(ended, receiver.url)
        event = receiver.wait_for(lambda each: True, "event", within=5).body

    assert event["eventType"] == "COMPLETE"
    assert [(each["namespace"], each["name"]) for each in event["inputs"]] == [
        ("s3://features", "2024-01.parquet"),
        ("metaflow://Train", "1"),
    ]
    assert [(each["namespace"], each["name"]) for each in event["outputs"]] == [("file", "/tmp/m")]
    run, job = event["run"]["facets"]["metaflow"], event["job"]["facets"]
    assert (run["pathspec"], run["attempt"]) == ("Flow/run/fit/t", 2)
    assert run["parameters"] == {"rate": 0.1}
    assert (job["metaflow"]["flow"], job["metaflow"]["step"]) == ("Flow", "fit")
    assert (job["sourceCodeLocation"]["url"], job["sourceCodeLocation"]["path"]) == (
        "s3://b/code", "flow.py",
    )  # fmt: skip


def test_a_server_that_fails_fails_nobody(ended):
    with receiving() as receiver:
        receiver.status = 500
        tell(ended, receiver.url)
        receiver.wait_for(lambda each: True, "event", within=5)
    tell(ended, receiver.url)  # gone by now


def test_a_task_that_has_not_run_tells_of_its_flow(ended):
    ended._ended = None

    for state in TaskInstanceState.RUNNING, TaskInstanceState.FAILED, TaskInstanceState.SUCCESS:
        told = extracted(ended, state)
        assert (told.inputs, told.outputs) == ([], [])
        assert told.job_facets["metaflow"].step == "fit"


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/a/b.parquet?versionId=3", "s3://bucket", "a/b.parquet?versionId=3"),
        ("postgres://host:5432/db/table", "postgres://host:5432", "db/table"),
        ("file:///data/x", "file", "/data/x"),
        ("s3://bucket", "s3://bucket", "/"),
        ("relative.csv", "file", "relative.csv"),
    ],
)
def test_a_dataset_is_named_as_openlineage_names_it(uri, namespace, name):
    found = lineage_facets.dataset(InputDataset, uri)

    assert (found.namespace, found.name) == (namespace, name)
