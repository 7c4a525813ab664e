"""How the pipeline fails: by name, with the reason, soon. Its success is tested in tests/."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded import processes
from embedded.errors import StackError
from embedded.stack import Stack
from metaflow_airflow.airflow_api.client import AirflowClient
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions
from pipeline.flows import Flow
from pipeline.loading import wait_for_dags
from pipeline.targets.embedded import EmbeddedTarget
from pipeline.targets.own import OwnTarget

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def start_pipeline(state: Path, *more: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "pipeline", "--state", str(state), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "200", **env},
    )  # fmt: skip


def test_a_missing_source_fails_the_task_that_reads_it_with_the_end_of_its_log(
    stack: Stack, tmp_path: Path
) -> None:
    started = time.monotonic()

    missing = os.path.relpath(tmp_path / "none.parquet")
    running = start_pipeline(stack.state.root, "--source", missing)
    text, _ = running.communicate(timeout=600)

    assert running.returncode == 1
    named = re.search(r"data_engineering_dag failed in (.*) \(run ", text)
    assert named
    assert {"month.fetch[0]", "month.fetch[1]"} <= set(named[1].split(", "))
    end = text.partition("The end of the log of data_engineering_dag.month.fetch[0]:")[2]
    assert f"{tmp_path}/none.parquet" in end
    assert time.monotonic() - started < 300
    assert stack.is_running  # it was up before


@pytest.fixture
def broken(stack: Stack) -> Iterator[Flow]:
    flow = Flow("broken_flow", "broken_flow")
    versions = Versions(FolderObjects(stack.dags_folder))
    versions.write({flow.dag_file: b"from airflow.sdk import DAG\nimport no_such_module\n"})
    yield flow
    versions.write({flow.dag_file: None})


def test_a_dag_file_that_does_not_load_is_named_with_its_error(stack: Stack, broken: Flow) -> None:
    target = EmbeddedTarget(stack.state, lambda name, text: None, {})
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)

    with pytest.raises(StackError) as caught:
        wait_for_dags(target, client, [broken])

    assert "Airflow cannot load the DAG file broken_flow.py (bundle flows)" in str(caught.value)
    assert "No module named 'no_such_module'" in str(caught.value)


def test_an_airflow_of_ones_own_gets_the_flows(stack: Stack) -> None:
    """This stack's, taken for somebody else's: all that is known of it is in the environment."""
    given = stack.environment()
    target = OwnTarget(stack.state, lambda name, text: None, given)

    target.bring_up()
    wait_for_dags(target, AirflowClient(target.airflow_url, *target.airflow_login))

    del given["METAFLOW_AIRFLOW_DAGS_FOLDER"]
    with pytest.raises(StackError, match=r"needs METAFLOW_AIRFLOW_DAGS_FOLDER \(where DAG files"):
        OwnTarget(stack.state, lambda name, text: None, given)


def test_trips_are_made_up_aloud_and_ctrl_c_in_the_run_stops_what_was_started(
    tmp_path: Path,
) -> None:
    nobody = "http://127.0.0.1:9/trip-data"
    state = tmp_path / "state"
    running = start_pipeline(
        tmp_path / "state", "--keep", "--rows", "1000", TLC_TRIP_DATA_URL=nobody
    )
    assert running.stdout
    lines = iter(running.stdout.readline, "")
    said = next((line for line in lines if "WARNING" in line), "nothing of the kind")
    assert f"WARNING: TLC's site cannot be reached ({nobody}: " in said
    assert "--source generator" in said
    assert "WARNING: NO REAL TRIPS. What follows is MADE UP" in next(lines)
    next(line for line in lines if "month.fetch[0]" in line and "running" in line)

    running.send_signal(signal.SIGINT)

    text = running.stdout.read()
    assert running.wait(60) == 130, text
    assert processes.marked(state) == []
