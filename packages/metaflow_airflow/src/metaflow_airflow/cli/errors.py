"""The bridge's errors as Metaflow's, which its command line prints without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def spoken() -> Iterator[None]:
    """Turn a BridgeError into a MetaflowException of the same words."""
    from metaflow.exception import MetaflowException

    from metaflow_airflow.errors import BridgeError

    try:
        yield
    except BridgeError as error:
        raise MetaflowException(str(error)) from error
