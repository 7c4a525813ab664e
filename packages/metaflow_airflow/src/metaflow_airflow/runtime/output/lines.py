"""Bytes as they come from a pipe, cut into lines."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE = 64 * 1024
"""Bytes after which a line is cut, so that output without line ends needs no memory."""


_CHARACTER = 4  # bytes of one in UTF-8, at most


class LineSplitter:
    """Cuts a stream into lines of text; what is not UTF-8 is replaced."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that data completes, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._pieces(line)
        while len(self._rest) > self._max_line:
            end = _boundary(self._rest, self._max_line)
            piece, self._rest = self._rest[:end], self._rest[end:]
            yield _text(piece)

    def close(self) -> Iterator[str]:
        """The last line, if it had no end."""
        if self._rest:
            yield from self._pieces(self._rest)
            self._rest = b""

    def _pieces(self, line: bytes) -> Iterator[str]:
        while len(line) > self._max_line:
            end = _boundary(line, self._max_line)
            yield _text(line[:end])
            line = line[end:]
        yield _text(line)


def _boundary(line: bytes, end: int) -> int:
    """The last place up to `end` that is not inside of a character."""
    for back in range(min(_CHARACTER, end)):
        if line[end - back] & 0xC0 != 0x80:
            return end - back
    return end  # no UTF-8


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").removesuffix("\r")
