"""The commands that start no Airflow."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded import processes
from embedded.state import State


def stack(*arguments: str, state: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run `stack`; its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments[:1], "--state", str(state),
         *arguments[1:]],
        env={**os.environ, "COLUMNS": "200", **(env or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    left = processes.marked(tmp_path / "state")
    processes.end(left)
    assert left == []


def test_nothing_runs_in_a_new_directory(state: Path) -> None:
    assert stack("down", state=state) == (0, f"no stack runs in {state}\n")
    code, text = stack("status", state=state)
    assert (code, "stopped" in text) == (1, True)
    code, text = stack("exec", "--", "true", state=state)
    assert (code, f"no stack runs in {state}" in text) == (1, True)


def test_a_fixed_port_in_use_is_told_before_anything_starts(state: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        code, text = stack("up", "--port", f"airflow={port}", state=state)

    assert code == 1
    assert f"port {port} for airflow is in use" in text
    assert "Nothing was started" in text
    assert not State(state).exists
    assert list((state / "logs").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--port", "airflow"], "'airflow' is not NAME=NUMBER"),
        (["pipeline", "--month", "2024-1"], "'2024-1' is no month: YYYY-MM"),
        (["pipeline", "--train-month", "2024-13"], "'2024-13' is no month: YYYY-MM"),
        (["pipeline", "--rows", "0"], "'0' is not 1 or more"),
    ],
)
def test_a_word_that_makes_no_sense_is_told_before_anything_starts(
    state: Path, words: list[str], said: str
) -> None:
    code, text = stack(*words, state=state)

    assert code == 2
    assert said in text
    assert not state.exists()


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        code, text = stack("up", state=disk / "state")
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    assert code == 1
    assert f"the disk is too full for the state directory {disk}/state: " in text
    assert "Nothing was started" in text


def test_without_uv_the_way_out_is_told(state: Path) -> None:
    code, text = stack("up", state=state, env={"UV": "", "PATH": "/nonexistent"})

    assert code == 1
    assert "uv is neither in $UV nor on PATH" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_stops_everything(state: Path, number: signal.Signals) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "up", "--state", str(state)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert starting.stdout
    lines = iter(starting.stdout.readline, "")
    next(line for line in lines if "postgres" in line)

    starting.send_signal(number)
    next(line for line in lines if "stopping" in line)
    starting.send_signal(number)  # of somebody impatient: it must not cut off the end

    text = starting.stdout.read()
    assert starting.wait(60) == 130, text
    assert "interrupted" in text
    assert processes.marked(state) == []
    assert State(state).read()["phase"] == "stopped"


def test_a_killed_start_leaves_nothing_that_down_does_not_end(state: Path) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "up", "--state", str(state)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starting.stdout
    next(line for line in iter(starting.stdout.readline, "") if "postgres" in line)
    starting.kill()
    starting.communicate()
    supervisor = State(state).read()["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    assert processes.marked(state) != []

    assert stack("down", state=state) == (0, "stopped\n")

    assert processes.marked(state) == []


def test_logs_are_shown_by_name_and_followed(tmp_path: Path) -> None:
    state = State.at(tmp_path)
    state.create()
    state.log("s3").write_text("first\n")
    state.log("scheduler").write_text("other\n")
    following = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "logs", "--state", str(tmp_path), "s3", "-f"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert following.stdout
    assert following.stdout.readline().split() == ["s3", "first"]
    with state.log("s3").open("a") as log:
        log.write("second\nhal")
        log.flush()
        assert following.stdout.readline().split() == ["s3", "second"]
        log.write("f\n")
    assert following.stdout.readline().split() == ["s3", "half"]

    following.send_signal(signal.SIGINT)

    assert following.wait(20) == 130


def test_a_log_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    state = State.at(tmp_path)
    state.create()
    state.log("s3").write_text("first\n")

    code, text = stack("logs", "web", state=tmp_path)

    assert code == 1
    assert f"no log of 'web' in {tmp_path}/logs; there are: s3" in text


def test_a_second_start_waits_for_the_first(tmp_path: Path) -> None:
    state = State.at(tmp_path)
    state.create()
    with state.lock("up"):
        waiting = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "up", "--state", str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert waiting.stdout
        assert "another command is at work on it: waiting" in waiting.stdout.readline()
        time.sleep(0.5)
        assert processes.marked(tmp_path) == []
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) == 130
