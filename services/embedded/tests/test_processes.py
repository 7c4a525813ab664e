import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from embedded import processes

# A child in a session of its own, a grandchild that forgets the mark, both deaf to SIGTERM.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] == "parent":
    env = {k: v for k, v in os.environ.items() if k != "EMBEDDED_STACK"}
    subprocess.Popen([sys.executable, "-c", sys.argv[2], "child"], env=env, start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(state: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", FAMILY, "parent", FAMILY],
            env={**os.environ, processes.MARK: str(state)},
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout
        assert [process.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
        return process

    yield start
    for process in started:
        processes.send(processes.tree(process.pid), signal.SIGKILL)
        process.communicate()


def test_the_processes_of_one_stack_are_found_and_no_others(
    tmp_path: Path, family: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    mine, other = family(tmp_path / "a"), family(tmp_path / "b")

    found = {process.pid for process in processes.marked(tmp_path / "a")}

    assert len(found) == 2
    assert mine.pid in found
    assert other.pid not in found


def test_those_who_ignore_the_request_are_killed(
    tmp_path: Path, family: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    process = family(tmp_path)
    members = processes.tree(process.pid)
    assert len(members) == 2

    processes.end(members, grace=0.2)

    deadline = time.monotonic() + 10
    while any(m.is_running() and m.status() != psutil.STATUS_ZOMBIE for m in members):
        assert time.monotonic() < deadline, "a process survived"
        time.sleep(0.05)


def test_a_process_that_is_gone_has_no_tree() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert processes.tree(process.pid) == []


def test_memory_counts_this_process() -> None:
    assert processes.memory([psutil.Process()]) > 5 * 1024**2


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (3, "exit code 3"),
        (-9, "killed by SIGKILL (signal 9)"),
        (-64, "killed by SIGRTMAX (signal 64)"),
    ],
)
def test_an_end_is_told(code: int, text: str) -> None:
    assert processes.exit_text(code) == text


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{'x' * 100} {number}\n" for number in range(2000)))

    assert [line.split()[1] for line in processes.log_end(log, 2)] == ["1998", "1999"]
    assert processes.log_end(tmp_path / "none.log") == []
