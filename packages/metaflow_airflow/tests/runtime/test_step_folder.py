"""The folders of steps go, whoever was killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from metaflow_airflow.runtime.launch.step_folder import StepFolder, remove_abandoned


def _age(path: Path) -> None:
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


def test_what_killed_launchers_left_is_removed(tmp_path: Path) -> None:
    (abandoned := tmp_path / "step-abandoned").mkdir()
    (abandoned / "file").touch()
    (young := tmp_path / "step-young").mkdir()
    (tmp_path / "code").mkdir()
    used = StepFolder(tmp_path)
    for path in (abandoned, used.path, tmp_path / "code"):
        _age(path)

    remove_abandoned(tmp_path)

    assert {*tmp_path.iterdir()} == {young, used.path, tmp_path / "code"}
    used.close_logs()
    used.remove()


def test_a_fork_of_the_launcher_keeps_its_folder(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    ready, tell = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        StepFolder(tmp_path)
        if os.fork() == 0:
            os.write(tell, b"x")
            os.close(write_end)
            os.read(read_end, 1)
        os._exit(0)
    os.waitpid(launcher, 0)
    os.read(ready, 1)
    [folder] = tmp_path.iterdir()
    _age(folder)
    remove_abandoned(tmp_path)
    assert folder.exists()
    for descriptor in (write_end, read_end, ready, tell):
        os.close(descriptor)
