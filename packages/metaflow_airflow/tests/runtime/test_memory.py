"""What a container's control group says, in both of its versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from metaflow_airflow.runtime.launch.memory import Memory, MemoryRecord, read_memory, recorded
from metaflow_airflow.wire.task import StepResult

FIRST = {
    "memory/memory.max_usage_in_bytes": "300",
    "memory/memory.limit_in_bytes": "400",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
SECOND = {
    "memory.peak": "300",
    "memory.max": "400",
    "memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 0\n",
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("files", [FIRST, SECOND])
def test_both_versions_of_control_groups_are_read(tmp_path: Path, files: dict[str, str]) -> None:
    assert read_memory(write(tmp_path, files)) == Memory(300, 400, 2)


@pytest.mark.parametrize(
    "files",
    [
        FIRST | {"memory/memory.limit_in_bytes": "9223372036854771712"},
        SECOND | {"memory.max": "max"},
        {},
    ],
)
def test_without_a_limit_there_is_nothing_to_say(tmp_path: Path, files: dict[str, str]) -> None:
    assert read_memory(write(tmp_path, files)) is None


def test_a_record_is_no_result_and_a_result_is_a_record(tmp_path: Path) -> None:
    assert recorded(json.dumps({"memory": 5})) == 5
    assert recorded(StepResult(ok=False, exit_code=137, memory=7).to_json()) == 7
    for text in ("", "no json", "[]", StepResult(ok=True, exit_code=0).to_json()):
        assert recorded(text) is None


def test_where_nothing_limits_the_memory_no_record_is_kept(tmp_path: Path) -> None:
    if read_memory() is not None:
        pytest.skip("these tests run in a container with a limit")
    record = MemoryRecord(tmp_path / "result")

    record.update()

    assert not (tmp_path / "result").exists()
