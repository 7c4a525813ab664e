"""Bytes to lines, lines to Metaflow's log format, tracebacks to one line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from metaflow.mflog.mflog import merge_logs
from metaflow_airflow.runtime.output.error_line import error_line
from metaflow_airflow.runtime.output.lines import LineSplitter
from metaflow_airflow.runtime.output.log_file import LogFile

TEXT = "one\n\ntwo ünï\r\n  three\twith tab\n[MFLOG|0|x] not ours\nlast without end"


def _split(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@pytest.mark.parametrize("seed", range(30))
def test_lines_do_not_depend_on_how_they_come(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    data = TEXT.encode()
    splitter = LineSplitter()
    found: list[str] = []
    for piece in _split(data, [chance.randrange(9) for _ in range(chance.randrange(20))]):
        found += splitter.feed(piece)
    found += splitter.close()
    assert found == [line.removesuffix("\r") for line in TEXT.split("\n")]


def test_a_line_without_end_is_cut() -> None:
    splitter = LineSplitter(max_line=10)
    assert list(splitter.feed(b"x" * 25)) == ["x" * 10, "x" * 10]
    assert list(splitter.feed(b"y\nz" + b"w" * 12 + b"\n\n")) == [
        "xxxxxy",
        "z" + "w" * 9,
        "www",
        "",
    ]
    assert list(splitter.close()) == []


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert list(LineSplitter().feed(b"caf\xe9 \x00\n")) == ["caf\ufffd \x00"]


@pytest.mark.parametrize("seed", range(30))
def test_metaflow_reads_back_what_was_logged_in_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    log = LogFile(tmp_path / "log")
    for piece in _split(TEXT.encode(), [chance.randrange(9) for _ in range(chance.randrange(20))]):
        log.append(piece)
    log.close()
    read = [line.msg.decode() for line in merge_logs([log.path.read_bytes()])]
    assert read == TEXT.split("\n")
    assert log.size == log.path.stat().st_size
    assert log.tail == TEXT


def test_many_lines_of_one_moment_keep_their_order(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    log.append("".join(f"{number}\n" for number in range(20_000)).encode())
    read = [int(line.msg) for line in merge_logs([log.path.read_bytes()])]
    assert read == list(range(20_000))


def test_a_log_is_valid_text_whatever_came(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    log.append(bytes(range(256)) * 3 + b"\xe2\x82")
    log.close()
    log.path.read_bytes().decode("utf-8")


def test_a_log_grows_no_further_than_it_may(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", max_bytes=2000)
    for _ in range(100):
        log.append(b"x" * 80 + b"\n")
    log.append("the é end\n".encode())
    log.close()
    text = log.path.read_text()
    assert len(text) < 2300
    assert text.count("more than 2000 bytes") == 1
    assert log.tail.endswith("the é end\n")
    assert text.endswith(f"] {log.dropped} bytes are in Airflow's log only\n")
    assert log.dropped == 100 * 81 + 11 - 81 * text.count("]" + "x" * 80)


TRACEBACK = """\
some line
    Internal error
    Traceback (most recent call last):
      File "x.py", line 1, in f
        raise ValueError("a\\nb")
    ValueError: the answer
    is not 41

"""


TIMEOUT = """\
<flow F step timed> failed:
    @timeout:
    Step timed timed out after 3 seconds
    Stack when the timeout was raised:
    >    File "x.py", line 34, in <module>

"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\n \n", None),
        ("first\nlast\n\n", "last"),
        (TRACEBACK, "ValueError: the answer"),
        (TRACEBACK + "and a goodbye\n", "ValueError: the answer"),
        (TRACEBACK.replace("    ", "") + TRACEBACK.replace("answer", "2nd"), "ValueError: the 2nd"),
        (TIMEOUT, "@timeout: Step timed timed out after 3 seconds"),
        (TRACEBACK + TIMEOUT, "@timeout: Step timed timed out after 3 seconds"),
        ("<flow F step s> failed:\n" + TRACEBACK, "ValueError: the answer"),
        ("<flow F step s> failed:\n", "<flow F step s> failed:"),
        ("\x1b[35m\x1b[1mred\x1b[0m\x1b[K\n", "red"),
        ("Traceback (most recent call last):\n  File", "File"),
        ("x" * 900, "x" * 499 + "…"),
    ],
)
def test_error_line(text: str, line: str | None) -> None:
    assert error_line(text) == line


def test_a_missing_module_is_told_with_both_ways_to_bring_it() -> None:
    said = (
        "Traceback (most recent call last):\n  File\nModuleNotFoundError: No module named 'x.y'\n"
    )

    line = error_line(said)

    assert line
    assert line.startswith("ModuleNotFoundError: No module named 'x.y'. The Python of the step")
    assert "--environment=uv" in line
    assert "uv pip install" in line
    assert error_line("ImportError: cannot import name 'a'\n") == (
        "ImportError: cannot import name 'a'"
    )


def test_a_full_disk_stops_the_log_and_nothing_else() -> None:
    log = LogFile(Path("/dev/full"))
    log.append(b"one\n")
    log.append(b"two\n")
    log.close()
    assert log.failure is not None
    assert "No space left" in str(log.failure)
    assert log.tail == "one\ntwo\n"
