"""`stack`: one command, its errors and its interrupts."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

from embedded.errors import StackError
from metaflow_airflow.errors import BridgeError
from rich.console import Console

from pipeline.cli.parser import parser

_INTERRUPTED = 130
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # all as Ctrl-C: stop what was started


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when it did what it was asked."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without our dots and dashes
            stream.reconfigure(errors="replace")
    options = parser().parse_args(arguments)
    for number in _ENDS:
        signal.signal(number, _interrupt)
    options.umask = os.umask(0o077)  # all that is kept is the user's alone
    console = Console(highlight=False, soft_wrap=True)
    try:
        return int(options.command(options, console))
    except (StackError, BridgeError) as error:
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return _INTERRUPTED


def _interrupt(number: int, frame: object) -> None:
    """Interrupt once: a second Ctrl-C would cut off what ends the processes."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
