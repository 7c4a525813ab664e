"""Progress that a program draws over itself ("\\r 10 %", "\\r 11 %"), as lines for a log. Pure.

A log has no place to draw over: without this, nothing of it is seen until its line ends, and then
all states at once in one line of a hundred kilobytes. Metaflow's own log keeps every byte.
"""

from __future__ import annotations

INTERVAL = 5.0
"""Seconds between two states that are shown."""

MAX_STATE = 64 * 1024
"""Bytes after which a state is text like any other."""


class Progress:
    """One stream: text passes as it comes; of a line that is drawn over, the newest state does."""

    def __init__(self) -> None:
        self._held = b""  # a "\r" whose next byte has not come
        self._inside = False  # of a line that has passed in part
        self._drawing = False
        self._state = b""
        self._shown: bytes | None = None
        self._shown_at = 0.0
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> bytes:
        """What of it goes into the log at once.

        Args:
            now: of a clock that never steps back, in seconds.
        """
        data, self._held = self._held + data, b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        if not self._drawing and b"\r" not in data:
            self._inside = not data.endswith(b"\n") if data else self._inside
            return data
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        out = [self._text(line, ended=True) for line in lines[:-1]]
        out.append(self._text(lines[-1], ended=False))
        return b"".join(out) + self.tick(now)

    def tick(self, now: float) -> bytes:
        """The newest state, if it is time to show it."""
        state = self._state.strip()
        if not self._drawing or not state or state == self._shown:
            return b""
        if self._shown is not None and now - self._shown_at < INTERVAL:
            return b""
        self._shown, self._shown_at = state, now
        return state + b"\n"

    def close(self) -> bytes:
        """What was held back."""
        return self._end() if self._drawing else b""

    def _text(self, text: bytes, *, ended: bool) -> bytes:
        """A line, or the part of one that came."""
        first, *states = text.split(b"\r")
        out = b""
        if not self._drawing:
            out = first
            self._inside = self._inside or bool(first)
            if not states:
                self._inside = not ended and self._inside
                return out + (b"\n" if ended else b"")
            # What is drawn over from now on has passed already: a line of its own.
            out += b"\n" if self._inside else b""
            self._drawing, self._inside = True, False
        else:
            self._state += first
        for state in states:
            self._drop()
            self._state = state
        if ended:
            return out + self._end()
        if len(self._state) > MAX_STATE:
            out, self._inside = out + self._state, True
            self._forget()
        return out

    def _drop(self) -> None:
        if self._state.strip() and self._state.strip() != self._shown:
            self._dropped += 1

    def _end(self) -> bytes:
        """The last state of the line, and how many are in Metaflow's log only."""
        state = self._state.strip()
        count = f"[metaflow-airflow] {self._dropped} states of this line are in Metaflow's log only"
        parts = [state if state != self._shown else b"", count.encode() if self._dropped else b""]
        self._forget()
        said = b" ".join(part for part in parts if part)
        return said + b"\n" if said else b""

    def _forget(self) -> None:
        self._drawing, self._state, self._shown, self._dropped = False, b"", None, 0
