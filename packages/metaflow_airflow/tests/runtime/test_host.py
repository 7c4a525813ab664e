"""What launchers share on a host: a folder and locks; what they need of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from metaflow_airflow.runtime.failures import BusyError, LaunchError
from metaflow_airflow.runtime.launch.host_folder import host_directory
from metaflow_airflow.runtime.launch.task_lock import TaskLock
from metaflow_airflow.runtime.worker.step_process import LAUNCHER

from .test_task import TASK

Said = list[str]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own."""
    monkeypatch.setenv("METAFLOW_AIRFLOW_TMPDIR", str(tmp_path))
    return host_directory()


def test_the_folder_is_the_users_own(host: Path) -> None:
    assert host.stat().st_mode & 0o777 == 0o700
    host.chmod(0o755)
    assert host_directory().stat().st_mode & 0o777 == 0o700


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_AIRFLOW_TMPDIR", str(tmp_path))
    (tmp_path / f"metaflow-airflow-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(LaunchError, match=r"belongs to somebody else.*METAFLOW_AIRFLOW_TMPDIR"):
        host_directory()


def test_a_folder_that_others_can_write_is_refused(host: Path) -> None:
    host.chmod(0o777)
    with pytest.raises(LaunchError, match="Other users can write into"):
        host_directory()


def test_a_lock_is_waited_for_and_names_its_holder(host: Path) -> None:
    first, second, other = (
        TaskLock(host, TASK),
        TaskLock(host, TASK),
        TaskLock(host, dataclasses.replace(TASK, task_id="t-2")),
    )
    said: Said = []
    first.acquire(0, said.append)
    other.acquire(0, said.append)
    assert said == []
    with pytest.raises(BusyError, match=f"process id {os.getpid()}, which runs attempt 2"):
        second.acquire(0.3, said.append)
    assert len(said) == 1
    first.release()
    second.acquire(0, said.append)
    second.release()
    other.release()
    assert not list((host / "locks").iterdir())


def test_the_lock_of_the_dead_is_free(host: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from metaflow_airflow.runtime.launch.task_lock import TaskLock\n"
        "from metaflow_airflow.wire.task import StepTask\n"
        "TaskLock(Path(sys.argv[1]), StepTask.from_json(sys.argv[2])).acquire(0, print)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(host), TASK.to_json()], check=False)
    assert len(list((host / "locks").iterdir())) == 1
    lock = TaskLock(host, TASK)
    lock.acquire(0, pytest.fail)
    lock.release()


def test_the_launcher_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """A Python without any packages gets as far as the code package."""
    file, result = tmp_path / "task.json", tmp_path / "result.json"
    file.write_text(dataclasses.replace(TASK, datastore="tape").to_json())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(LAUNCHER), f"--task={file}", f"--result={result}"],
        env={"METAFLOW_AIRFLOW_TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78, done.stderr
    assert "datastore of type 'tape'" in done.stderr
    assert "datastore of type 'tape'" in json.loads(result.read_text())["error"]


@pytest.mark.parametrize(("text", "said"), [("{}", "has format None"), (None, "No such file")])
def test_no_task(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "task.json"
    if text is not None:
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), f"--task={file}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert said in done.stderr
