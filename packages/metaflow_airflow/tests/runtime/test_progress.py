"""Progress bars in a log: seen while they happen, and no line of a hundred kilobytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metaflow_airflow.runtime.output.lines import LineSplitter
from metaflow_airflow.runtime.output.progress import MAX_STATE, Progress


def log(*pieces: bytes, seconds: float = 0.0) -> list[str]:
    """The lines of what a program writes, `seconds` apart."""
    progress, splitter = Progress(), LineSplitter()
    out = [progress.feed(piece, number * seconds) for number, piece in enumerate(pieces)]
    text = b"".join([*out, progress.close()])
    return [*splitter.feed(text), *splitter.close()]


def test_a_bar_is_seen_every_few_seconds() -> None:
    """1200 states in 5 minutes."""
    states = [b"\r%5.1f %% " % (n / 12) + "█".encode() * (n // 20) for n in range(1200)]
    lines = log(*states, b"\ndone\n", seconds=0.25)
    assert lines[0] == "0.0 %"
    assert lines[1].startswith("1.7 % █")
    assert 50 < len(lines) < 70
    assert lines[-1] == "done"
    assert lines[-2].startswith("99.9 %")
    assert lines[-2].endswith("states of this line are in Metaflow's log only")
    assert max(map(len, lines)) < 200


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\r\ntwo\r\n"], ["one", "two"]),
        ([b"one\r", b"\ntwo"], ["one", "two"]),
        ([b"10 %\r", b"20 %\r", b"30 %\n"], ["10 %", "20 %", "30 %"]),
        ([b"10 %\r20 %\r30 %\rx\n"], ["10 %", "x " + "[metaflow-airflow] 2 states of this"]),
        ([b"\r\r\n", b"a\n"], ["a"]),
        ([b"no end\r"], ["no end"]),
        ([b"\rno end"], ["no end"]),
        ([b"plain ", b"text", b"\n"], ["plain text"]),
        ([b"\r" + b"x" * (MAX_STATE + 1), b"yz\n"], ["x" * MAX_STATE, "xyz"]),
    ],
)
def test_what_becomes_of_a_return(pieces: list[bytes], lines: list[str]) -> None:
    found = log(*pieces, seconds=10)
    assert [line[: len(want)] for line, want in zip(found, lines, strict=True)] == lines


def test_a_state_shows_without_more_output() -> None:
    progress = Progress()
    progress.feed(b"\r1 %\r2 %", 0.0)
    progress.feed(b"\r3 %", 1.0)
    assert progress.tick(2.0) == b""
    assert progress.tick(5.5) == b"3 %\n"
    assert progress.tick(20.0) == b""


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_text_without_returns_passes_as_it_is(pieces: list[bytes]) -> None:
    pieces = [piece.replace(b"\r", b"") for piece in pieces]
    progress = Progress()
    assert b"".join(progress.feed(piece, 0.0) for piece in pieces) == b"".join(pieces)
    assert progress.close() == b""


@given(st.text(alphabet="aé█🚕", max_size=300), st.integers(4, 20), st.integers(1, 7))
def test_no_character_is_cut_in_two(text: str, longest: int, size: int) -> None:
    splitter = LineSplitter(longest)
    data = text.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    lines = [line for piece in pieces for line in splitter.feed(piece)] + [*splitter.close()]
    assert "".join(lines) == text
    assert all(len(line.encode()) <= longest for line in lines)
