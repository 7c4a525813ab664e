"""The bridge's errors as Metaflow's, which its command line prints without a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def spoken() -> Iterator[None]:
    """Turn a BridgeError into a MetaflowException of the same words."""
    from metaflow.exception import MetaflowException

    from metaflow_airflow.errors import BridgeError

    class AirflowException(MetaflowException):
        headline = "Airflow"

    try:
        yield
    except BridgeError as error:
        raise AirflowException(str(error)) from error


def at_least(least: int) -> Callable[[Any, Any, int | None], int | None]:
    """A click callback that refuses smaller numbers (Metaflow's Deployer knows no IntRange)."""
    from metaflow._vendor import click

    def check(context: Any, parameter: Any, value: int | None) -> int | None:
        if value is not None and value < least:
            raise click.BadParameter(f"{value} is below {least}.")
        return value

    return check
