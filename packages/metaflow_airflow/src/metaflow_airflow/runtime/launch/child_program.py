"""What a forked child becomes: one run of the flow's command line, as if Python had started it."""

from __future__ import annotations

import importlib.machinery
import io
import os
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ChildProgram:
    """Something to do in a child.

    Args:
        command: script and arguments, run by this very Python process.
        shell: a bash script to become instead.
        call: a function to call instead; its exit code is the child's.
    """

    environ: Mapping[str, str]
    command: Sequence[str] = ()
    shell: str | None = None
    call: Callable[[], int] | None = None

    def run(self) -> int:
        """Do it; returns or raises as the main program of this process."""
        os.environ.clear()
        os.environ.update(self.environ)
        if self.shell is not None:
            # Python ignores it; a program that it starts should not inherit that.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp("bash", ["bash", "-c", self.shell])  # noqa: S606 - it is the shell
        _open_streams()
        if self.call is not None:
            return self.call()
        _run_main(self.command)
        return 0


def clear_main() -> None:
    """Put a fresh `__main__` in place, for a script to come.

    Before Metaflow is imported, which puts classes there that it pickles by that name.
    """
    sys.modules["__main__"] = types.ModuleType("__main__")


def _open_streams() -> None:
    """sys.stdin/out/err on the descriptors that the fork got, unbuffered as in upstream's pods."""
    _set_stream("stdin", io.TextIOWrapper(io.FileIO(0), errors="surrogateescape"))
    for name, descriptor, errors in (
        ("stdout", 1, "surrogateescape"),
        ("stderr", 2, "backslashreplace"),
    ):
        raw = io.FileIO(descriptor, "w")
        _set_stream(name, io.TextIOWrapper(raw, "utf-8", errors, write_through=True))


def _set_stream(name: str, stream: io.TextIOWrapper) -> None:
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _run_main(command: Sequence[str]) -> None:
    """Run the script as `python script arguments` would.

    Not with runpy, which takes the module away again as soon as its code has run: threads, exit
    handlers and unpickling in them still want `__main__`.
    """
    path = str(Path.cwd() / command[0])
    sys.argv = list(command)
    main = sys.modules["__main__"]
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    vars(main).update(
        __file__=path, __cached__=None, __loader__=loader, __spec__=None, __package__=None
    )
    exec(loader.get_code("__main__"), vars(main))  # type: ignore[arg-type]  # noqa: S102
