"""The launcher as others start it: many at once, as a module, by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from metaflow_airflow.runtime.worker.step_process import LAUNCHER

from .support import LauncherRun, Platform
from .waiting import wait_for


def test_many_at_once_on_a_host_that_has_no_package_yet(platform: Platform, tmp_path: Path) -> None:
    run = LauncherRun(platform, "ShapesFlow", "shapes.py")
    start, _ = run.succeed("start")
    both, _ = run.succeed("both", [run.succeed(side, [start])[0] for side in ("left", "right")])
    fan, _ = run.succeed("fan", [both])

    def item(index: int) -> object:
        task = run.task("outer", [fan], (index,), split_index=index)
        return run.process(task, METAFLOW_AIRFLOW_TMPDIR=str(tmp_path)).run()

    # A foreach has two items; each is asked for by one attempt of two launchers.
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(item, [0, 1, 0, 1]))
    assert all(getattr(result, "ok", False) for result in results), run.text()
    assert len(list(tmp_path.glob("metaflow-airflow-*/code/*/manifest.json"))) == 1
    assert not list(tmp_path.glob("metaflow-airflow-*/code/.new-*"))
    assert not list(tmp_path.glob("metaflow-airflow-*/step-*"))


def test_as_a_module_of_an_image_that_has_the_bridge(platform: Platform, tmp_path: Path) -> None:
    """As a pod starts it: no lifeline, the result in a file, PID 1 or not."""
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    file, result = tmp_path / "task.json", tmp_path / "result.json"
    file.write_text(run.task("start").to_json())
    command = [
        sys.executable,
        "-m",
        "metaflow_airflow.runtime",
        f"--task={file}",
        f"--result={result}",
    ]
    done = subprocess.run(
        command, env=platform.environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trouble: None\n"
    assert done.stderr == ""
    assert json.loads(result.read_text())["ok"] is True
    found = platform.artifacts(run.spec("start"))
    assert found["path"][0] == found["cwd"]
    assert str(tmp_path) not in found["path"]
    assert found["bridge"] == f"{found['cwd']}/.mf_code/metaflow_airflow/__init__.py"


def test_output_of_a_reader_that_is_gone_is_still_kept(platform: Platform) -> None:
    """`launcher | head -1`"""
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    task = run.task("start", env={"TROUBLE": "flood", "LINES": "5000"})
    with subprocess.Popen(
        [sys.executable, str(LAUNCHER)],
        env={**platform.environment, **task.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(task.to_json())
        process.stdin.close()
        assert process.stdout.readline() == "trouble: flood\n"
        process.stdout.close()
        assert process.wait(120) == 0
    stdout, _ = platform.streams(run.spec("start"))
    assert stdout.count("x" * 99) == 5000


def test_a_reader_that_does_not_read_does_not_keep_a_step_alive(
    platform: Platform, tmp_path: Path
) -> None:
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    task = run.task("start", env={"TROUBLE": "flood", "LINES": "10000000"})
    with subprocess.Popen(
        [sys.executable, str(LAUNCHER), "--grace=1"],
        env={**platform.environment, **task.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(task.to_json())
        process.stdin.close()
        assert process.stdout.readline() == "trouble: flood\n"
        os.kill(process.pid, signal.SIGTERM)
        wait_for(lambda: process.poll() is not None, "the launcher's end", 60)
        assert process.returncode == 128 + signal.SIGTERM
