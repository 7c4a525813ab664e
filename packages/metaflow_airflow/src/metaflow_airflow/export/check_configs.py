"""Whether the values of a flow's Configs reach the steps as they are: they travel as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from metaflow_airflow.errors import BridgeError


def check_configs(configs: Mapping[str, Any]) -> None:
    """Refuse what JSON would make something else of.

    Args:
        configs: values by Config's name.

    Raises:
        BridgeError: naming the Config and the place in it.
    """
    for place, what in _changed(configs, ""):
        raise BridgeError(
            f"Config value {place} is {what}: it travels to the steps as JSON, which would make "
            "something else of it. Let its parser return lists and dicts with texts as keys."
        )


def _changed(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield f"{place}[{key!r}]", f"below a key of type {type(key).__name__}"
            yield from _changed(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _changed(inner, f"{place}[{index}]")
    elif value is not None and not isinstance(value, str | int | float):
        yield place, f"a {type(value).__name__}"
