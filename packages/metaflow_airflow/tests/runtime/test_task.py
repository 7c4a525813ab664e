"""The description of an attempt survives its way to the launcher."""

from __future__ import annotations

import json

import pytest
from metaflow_airflow.wire.task import Init, StepResult, StepTask, TaskFormatError

TASK = StepTask(
    flow="F",
    script="f.py",
    code_url="s3://b/c",
    code_sha="0" * 40,
    datastore="s3",
    datastore_root="s3://b/m",
    step="start",
    run_id="airflow-1",
    task_id="t-1",
    attempt=2,
    options=("--quiet", "--metadata=local"),
    input_paths=("airflow-1/a/t", "airflow-1/b/t"),
    split_index=0,
    init=Init("p-1", {"text": 'qu"ote\n ünïcode', "list": [1, None, {"a": False}], "none": None}),
    env={"A": "b=c"},
)


def test_json_there_and_back() -> None:
    assert StepTask.from_json(TASK.to_json()) == TASK
    assert TASK.pathspec == "airflow-1/start/t-1"
    result = StepResult(ok=False, exit_code=137, error="x", killed_by=9, timed_out=True)
    assert StepResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Not a step task in JSON"),
        ("[1]", "a JSON object was expected"),
        ("{}", "has format None; this metaflow-airflow reads 1"),
        (json.dumps({**json.loads(TASK.to_json()), "format": 2}), "Install the same version"),
        (json.dumps({**json.loads(TASK.to_json()), "colour": 1}), "unknown field colour"),
        ('{"format": 1}', "missing"),
    ],
)
def test_what_is_no_task_is_refused(text: str, said: str) -> None:
    with pytest.raises(TaskFormatError, match=said):
        StepTask.from_json(text)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (StepResult(ok=False, exit_code=1, error="KeyError: 'x'"), "exit code 1: KeyError: 'x'"),
        (StepResult(ok=False, exit_code=7), "exit code 7"),
        (StepResult(ok=False, exit_code=137, killed_by=9), "killed by SIGKILL"),
        (StepResult(ok=False, exit_code=193, killed_by=65), "killed by signal 65"),
        (
            StepResult(ok=False, exit_code=124, timed_out=True, error="longer than 3 s"),
            "exit code 124, timed out: longer than 3 s",
        ),
    ],
)
def test_the_reason_is_one_line(result: StepResult, reason: str) -> None:
    assert result.reason == reason
