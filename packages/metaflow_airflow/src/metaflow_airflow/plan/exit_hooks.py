"""Metaflow's @exit_hook: what is called when a run has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Graph
from metaflow_airflow.plan.step import ExitHooks


def read_hooks(graph: Graph) -> ExitHooks | None:
    """The hooks of all the flow's @exit_hook, in their order.

    Raises:
        BridgeError: one that names no function.
    """
    on_success: list[str] = []
    on_error: list[str] = []
    for decorator in graph.decorators:
        if decorator.name == "exit_hook":
            found = [
                list(_names(decorator.attributes[key], graph.module))
                for key in ("on_success", "on_error")
            ]
            if not any(found):
                raise BridgeError(
                    f"@exit_hook on flow *{graph.flow}* names no function: give on_success or "
                    "on_error."
                )
            on_success += found[0]
            on_error += found[1]
    if not on_success and not on_error:
        return None
    return ExitHooks(tuple(on_success), tuple(on_error))


def _names(hooks: Iterable[str | Callable[..., object]] | None, module: str) -> Iterable[str]:
    """How the hooks are found again: in the flow's own module by name, else by import path."""
    for hook in hooks or ():
        if isinstance(hook, str):
            yield hook
        elif hook.__module__ == module:
            yield hook.__qualname__
        else:
            yield f"{hook.__module__}.{hook.__qualname__}"
