"""A run's parameters: every type arrives, once, whole."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import threading
import time
from typing import Any

import pytest
from metaflow_airflow.wire.task import Clone, Init

from .support import LauncherRun, Platform
from .waiting import wait_for

VALUES: dict[str, Any] = {
    "text": "quo\"te ' $HOME `id`\nnew line\ttab ünïcode 🚕 --flag=x",
    "empty": "",
    "whole": 12345678901234567890,
    "real-number": 2.5e-7,
    "yes": True,
    "no": False,
    "data": {"list": [1, 2.5, None, True, "ä"], "nested": {"": []}},
    "null": "null",  # as JSON text
    "words": "x,y,z",
    "nothing": None,
    "retry_count": "-1",
    "needed": "here",
}


@pytest.fixture(scope="module")
def run(platform: Platform) -> LauncherRun:
    """A run whose start step has ended."""
    run = LauncherRun(platform, "ParametersFlow", "parameters.py", VALUES)
    run.succeed("start", tags=("one", "two words"))
    return run


def test_values_of_every_type_arrive(platform: Platform, run: LauncherRun) -> None:
    found = platform.artifacts(run.spec("start"))
    expected = {
        **VALUES,
        "real": VALUES["real-number"],
        "null": None,
        "words": ["x", "y", "z"],
        "depth": 3,
    }
    del expected["real-number"]
    assert {name: found[name] for name in expected} == expected


def test_the_run_is_as_upstreams_schedulers_make_it(platform: Platform, run: LauncherRun) -> None:
    found = platform.python(
        "import json, sys; from metaflow import Run, namespace; namespace(None);"
        "r = Run(sys.argv[1]);"
        "print(json.dumps([sorted(r.user_tags), sorted(r.system_tags), r.code is not None,"
        " [t.id for t in r['_parameters']] if '_parameters' in r else None,"
        " r['start'].task.code.script_name, r.path_components]))",
        f"ParametersFlow/{run.run_id}",
    )
    user_tags, system_tags, has_code, _, script, _ = found
    assert user_tags == ["one", "two words"]
    assert {"runtime:airflow", "user:tester"} <= set(system_tags)
    assert has_code
    assert script == "parameters.py"


def test_a_second_attempt_takes_the_first_ones_parameters(
    platform: Platform, run: LauncherRun
) -> None:
    """`init` runs once: the parameters task is the same object as before."""
    before = _parameters_objects(platform, run)
    run.succeed("start", attempt=1)
    assert _parameters_objects(platform, run) == before
    assert platform.artifacts(run.spec("start"))["text"] == VALUES["text"]


def test_an_init_that_was_killed_halfway_is_repaired(platform: Platform) -> None:
    run = LauncherRun(platform, "ParametersFlow", "parameters.py", VALUES)
    run.succeed("start")
    # What an init leaves that died before its last work: all is there but the launcher's mark.
    client = platform.client()
    marks = [key for key in _parameters_objects(platform, run) if "airflow_init_done" in key]
    assert len(marks) == 1
    client.delete_object(Bucket=platform.server.bucket, Key=marks[0])
    task = [key for key in _parameters_objects(platform, run) if key.endswith("data.json")]
    client.delete_object(Bucket=platform.server.bucket, Key=task[0])
    run.succeed("start", attempt=1)
    assert platform.artifacts(run.spec("start"))["data"] == VALUES["data"]
    assert any("airflow_init_done" in key for key in _parameters_objects(platform, run))


def test_a_missing_parameter_fails_with_its_name(platform: Platform) -> None:
    run = LauncherRun(platform, "ParametersFlow", "parameters.py", {"text": "x"})
    result = run.run("start")
    assert (result.ok, result.exit_code) == (False, 2)
    assert result.error is not None
    assert "--needed" in result.error
    # The step has not begun, but whoever looks for its log finds why.
    key = f"metaflow/{run.spec('start')}/0.task_stderr.log"
    body = platform.client().get_object(Bucket=platform.server.bucket, Key=key)["Body"].read()
    assert b"--needed" in body


def test_a_value_of_the_wrong_type_fails_with_its_name(platform: Platform) -> None:
    run = LauncherRun(
        platform, "ParametersFlow", "parameters.py", {"needed": "x", "whole": "twelve"}
    )
    result = run.run("start")
    assert not result.ok
    assert result.error is not None
    assert "twelve is not a valid integer" in result.error


def test_another_run_resumes_with_the_first_ones_parameters(
    platform: Platform, run: LauncherRun
) -> None:
    """What resume on Airflow needs: parameters and finished tasks are copied, the rest runs."""
    again = LauncherRun(platform, "ParametersFlow", "parameters.py")
    task = dataclasses.replace(
        again.task("start"),
        init=Init("p-resumed", clone=run.run_id),
        clone=Clone(run.pathspec("start")),
        origin_run_id=run.run_id,
    )
    result = again.process(task).run()
    assert result.ok, again.text()
    assert result.copied is not None
    result = again.process(
        dataclasses.replace(
            again.task("end"),
            input_paths=(task.pathspec,),
            # Its original is older than the start step that it would follow: it runs.
            clone=Clone(run.pathspec("end"), inputs_began=time.time()),
            origin_run_id=run.run_id,
        )
    ).run()
    assert (result.ok, result.copied) == (True, None), again.text()
    found = platform.artifacts(again.spec("end"))
    assert found["data"] == VALUES["data"]
    assert platform.metadata(again.spec("end"))["origin-run-id"] == run.run_id
    assert platform.metadata(again.spec("start"))["origin-task-id"] == run.task("start").task_id


def test_a_run_of_a_bridge_whose_task_ids_were_not_unique_can_be_resumed(
    platform: Platform,
) -> None:
    old = LauncherRun(platform, "ParametersFlow", "parameters.py", VALUES)
    result = old.process(dataclasses.replace(old.task("start"), task_id="t")).run()
    assert result.ok, old.text()
    again = LauncherRun(platform, "ParametersFlow", "parameters.py")
    task = dataclasses.replace(
        again.task("start"),
        init=Init("p-resumed", clone=old.run_id),
        clone=Clone(old.pathspec("start")),
        origin_run_id=old.run_id,
    )
    result = again.process(task).run()
    assert (result.ok, result.copied is None) == (True, False), again.text()
    assert platform.metadata(again.spec("start"))["origin-task-id"] == "t"


def test_a_run_that_left_nothing_cannot_be_resumed(platform: Platform) -> None:
    run = LauncherRun(platform, "ParametersFlow", "parameters.py")
    init = Init("p-resumed", clone="airflow-0")
    result = run.process(dataclasses.replace(run.task("start"), init=init)).run()
    assert result.error is not None
    assert "Run ParametersFlow/airflow-0 has no parameters" in result.error


def test_a_signal_during_init_ends_it(platform: Platform) -> None:
    """A metadata service that does not answer: init hangs, and is ended all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = LauncherRun(platform, "ParametersFlow", "parameters.py", VALUES)
        task = run.task("start")
        options = [o for o in task.options if not o.startswith("--metadata")]
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        task = dataclasses.replace(
            task,
            options=("--metadata=service", *options),
            env={"METAFLOW_SERVICE_URL": url, "METAFLOW_SERVICE_RETRY_COUNT": "1"},
        )
        process = run.process(task, grace=2)
        results = []
        thread = threading.Thread(target=lambda: results.append(process.run()))
        thread.start()
        server.settimeout(60)
        connection, _ = server.accept()
        with connection:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGTERM)
            wait_for(lambda: not thread.is_alive(), "the launcher to end", 60)
        assert results[0].killed_by == signal.SIGTERM


def _parameters_objects(platform: Platform, run: LauncherRun) -> dict[str, str]:
    prefix = f"metaflow/ParametersFlow/{run.run_id}/_parameters/"
    listed = platform.client().list_objects_v2(Bucket=platform.server.bucket, Prefix=prefix)
    return {each["Key"]: each["ETag"] + str(each["LastModified"]) for each in listed["Contents"]}
