"""A step's output arrives in Airflow's log at once and in Metaflow's datastore soon."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

from .support import LauncherRun, Platform
from .waiting import wait_for

LINES = 300_000


def test_metaflow_finds_the_log_while_the_step_runs(
    platform: Platform, fresh: LauncherRun, tmp_path: Path
) -> None:
    task = fresh.task("start", env={"TROUBLE": "sleep", "STARTED": str(tmp_path / "started")})
    process = fresh.process(task)
    thread = threading.Thread(target=process.run)
    thread.start()
    try:
        wait_for(lambda: "sleeping" in fresh.text("stdout"), "the step's line for Airflow's log")
        wait_for(
            lambda: "sleeping" in platform.streams(fresh.spec("start"))[0],
            "the step's line in the datastore",
            30,
        )
    finally:
        process.terminate()
        thread.join(60)
    assert not thread.is_alive()


def test_much_output_needs_little_memory_and_loses_nothing(
    platform: Platform, fresh: LauncherRun
) -> None:
    """30 MB; the worker's side is slow at first."""
    count, peak = 0, 0
    slow = threading.Event()

    def on_line(stream: str, line: str) -> None:
        nonlocal count, peak
        if stream == "stdout" and line.startswith("x"):
            count += 1
            if count == 1:
                slow.wait(2)
            if count % 1000 == 0 and process.pid is not None:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)

    task = fresh.task("start", env={"TROUBLE": "flood", "LINES": str(LINES)})
    process = fresh.process(task, on_line)
    result = process.run()
    assert result.ok, result
    assert count == LINES
    assert peak < 250 * 2**20, f"{peak / 2**20:.0f} MB"
    kept = platform.python(
        "import json, sys; from metaflow import Task, namespace; namespace(None);"
        "lines = Task(sys.argv[1]).stdout.splitlines();"
        "print(json.dumps([len(lines), sum(line == 'x' * 99 for line in lines)]))",
        fresh.spec("start"),
    )
    assert kept == [LINES + 1, LINES]


def test_bytes_that_are_no_text_break_nothing(platform: Platform, fresh: LauncherRun) -> None:
    fresh.succeed("start", env={"TROUBLE": "junk"})
    stdout, stderr = platform.streams(fresh.spec("start"))
    assert "\x00\ufffd\ufffd caf\ufffd\n" in stdout
    assert "\r1 %\r2 %\r3 %\n" in stdout
    assert "z" * 300_000 in stdout
    assert stderr.endswith("no line end\n")
    # Airflow's log gets the long line in pieces, the streams apart.
    pieces = [line for name, line in fresh.lines if name == "stdout" and line.startswith("zz")]
    assert "".join(pieces) == "z" * 300_000
    assert max(map(len, pieces)) <= 64 * 1024
    assert ("stderr", "no line end") in fresh.lines
    bar = "3 % [metaflow-airflow] 2 states of this line are in Metaflow's log only"
    assert ("stdout", bar) in fresh.lines


def test_flow_py_logs_shows_it(platform: Platform, fresh: LauncherRun) -> None:
    assert not fresh.run("start", env={"TROUBLE": "fail"}).ok
    shown = platform.flow_command(
        "trouble.py", "--quiet", "logs", f"{fresh.run_id}/start", "--stdout"
    )
    assert "about to fail" in shown


def test_logs_that_cannot_be_uploaded_do_not_fail_the_step(fresh: LauncherRun) -> None:
    result = fresh.run("start", env={"TROUBLE": "remove_logs"})
    assert result.ok, fresh.text()
    assert "the step's logs could not be uploaded as a whole" in fresh.text("stderr")
