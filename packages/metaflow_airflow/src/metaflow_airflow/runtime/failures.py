"""What keeps a launcher from running its step. The text names the thing, the place, the way out."""

from __future__ import annotations

from ..wire.exit_codes import BUSY, MISCONFIGURED, UNAVAILABLE


class LaunchError(Exception):
    """The step could not be started."""

    exit_code = MISCONFIGURED


class UnavailableError(LaunchError):
    """Something that the step needs cannot be reached at the moment."""

    exit_code = UNAVAILABLE


class BusyError(LaunchError):
    """Another launcher on this host still runs the same task."""

    exit_code = BUSY


class Stop(BaseException):
    """The launcher was told to end before its step had started. No library shall catch it.

    Args:
        number: the signal; None when the worker died.
    """

    def __init__(self, number: int | None) -> None:
        super().__init__(number)
        self.number = number
