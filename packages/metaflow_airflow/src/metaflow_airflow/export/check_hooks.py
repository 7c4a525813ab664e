"""Whether the functions of @exit_hook can be found again when a run has ended."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from metaflow_airflow.errors import BridgeError


def check_hooks(names: Iterable[str]) -> None:
    """Look for each function the way it will be looked for: by import path, or in the flow's file.

    Raises:
        BridgeError: naming the function.
    """
    for name in names:
        if not callable(_find(name)):
            raise BridgeError(
                f"@exit_hook: a run that has ended will not find the function {name}. Name a "
                "function at the top level of the flow's file, or of a module that travels with "
                "it ('module.function'); a lambda or a function within another has no such name."
            )


def _find(name: str) -> Any:
    module, _, function = name.rpartition(".")
    try:
        return getattr(import_module(module) if module else sys.modules["__main__"], function, None)
    except ImportError:
        return None
