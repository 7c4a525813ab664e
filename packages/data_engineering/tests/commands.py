"""The command line as tests run it."""

from __future__ import annotations

from collections.abc import Callable

from data_engineering.cli import main

Listed = Callable[[], list[str]]
"""Returns the keys of what lies where readers look."""


def run(root: str, source: str, month: str = "2024-01") -> int:
    return main(["--month", month, "--source", source, "--root", root])
