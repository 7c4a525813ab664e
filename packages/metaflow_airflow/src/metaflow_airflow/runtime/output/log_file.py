"""A step's output in Metaflow's log format, as files that the uploader brings to the datastore.

[MFLOG|0|2026-11-23T14:31:05.123456Z|task|0000000000000017]hello
"""

from __future__ import annotations

import codecs
from datetime import datetime, timezone
from pathlib import Path

MAX_BYTES = 256 * 1024 * 1024
"""Of one stream of one attempt: Metaflow's client reads a log as a whole into memory."""

TAIL_BYTES = 32 * 1024

_SOURCE = "task"


class LogFile:
    """One stream (stdout or stderr) of one attempt.

    Lines keep the order in which they came: readers sort by time, then by id, and both only grow.
    What is not UTF-8 is replaced, as Metaflow's client refuses to read it. `dropped` counts the
    bytes that found no room.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.size = self.dropped = 0
        self.tail = ""
        self._file = path.open("ab", buffering=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._max_bytes = max_bytes
        self._inside_line = False
        self._lines = 0
        self._last = ""
        self._full = False
        self.failure: OSError | None = None

    def append(self, data: bytes, *, final: bool = False) -> None:
        """Add output as it came, in pieces of any size; after close(), nothing."""
        text = self._decoder.decode(data, final)
        if not text:
            return
        self.tail = (self.tail + text)[-TAIL_BYTES:]
        if self._full or self.size + len(text) > self._max_bytes:
            self.dropped += len(text.encode())
            if not self._full:
                self._full = True
                self._note(f"more than {self._max_bytes} bytes: the rest is in Airflow's log only")
            return
        self._write(self._decorated(text))

    def close(self) -> None:
        """End the last line."""
        self.append(b"", final=True)
        if self.dropped and not self.failure:
            self._note(f"{self.dropped} bytes are in Airflow's log only")
        self._full = True
        self._file.close()

    def _note(self, text: str) -> None:
        end = "\n" if self._inside_line else ""
        self._write(self._decorated(f"{end}[metaflow-airflow] {text}\n"))

    def _decorated(self, text: str) -> str:
        # A clock that is set back must not reorder lines.
        self._last = max(self._last, datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f"))
        head = f"[MFLOG|0|{self._last}Z|{_SOURCE}|"
        pieces = text.split("\n")
        ended = pieces[-1] == ""
        if ended:
            pieces.pop()
        parts = [
            piece if self._inside_line and number == 0 else self._line(head, piece)
            for number, piece in enumerate(pieces)
        ]
        self._inside_line = not ended
        return "\n".join(parts) + ("\n" if ended else "")

    def _line(self, head: str, text: str) -> str:
        self._lines += 1
        return f"{head}{self._lines:016d}]{text}"

    def _write(self, text: str) -> None:
        view = memoryview(text.encode())
        try:
            while view:
                written = self._file.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            # A full disk: the step goes on, and what it says still reaches Airflow.
            self._full, self.failure = True, error
            self.dropped += len(view)
