"""Parquet objects of a storage as Polars tables, with errors that tell a bad file from bad luck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from data_engineering.errors import BadInputError, DataError, UnavailableError
from data_engineering.storage import Storage

# What Polars writes into its messages when the fault is the storage's and not the file's.
_STORAGE_FAULT = "object-store error"


def scan(storage: Storage, key: str) -> pl.LazyFrame:
    """Return the Parquet object as a LazyFrame; nothing is read yet."""
    return pl.scan_parquet(storage.uri(key), storage_options=storage.polars_options)


def sink(storage: Storage, table: pl.LazyFrame, key: str) -> None:
    """Stream the table into one Parquet object, without holding it in memory.

    Raises:
        DataError: as `explained` says.
    """
    with explained(f"writing {storage.uri(key)}", storage.uri(key)):
        table.sink_parquet(
            storage.uri(key),
            compression="zstd",
            row_group_size=250_000,
            storage_options=storage.polars_options,
            mkdir=True,
            engine="streaming",
        )


@contextmanager
def explained(doing: str, file: str) -> Iterator[None]:
    """Turn what Polars raises inside the block into our errors.

    Raises:
        BadInputError: `file` cannot be read as Parquet, or the storage refused us.
        UnavailableError: the storage did not answer.
    """
    try:
        yield
    except DataError:
        raise
    except (pl.exceptions.PolarsError, OSError) as error:
        said = " ".join(str(error).split())
        if isinstance(error, PermissionError):
            raise BadInputError(f"{doing}: the storage refused us: {said}") from error
        if _STORAGE_FAULT in said or isinstance(error, ConnectionError | TimeoutError):
            raise UnavailableError(f"{doing}: the storage failed: {said}") from error
        if isinstance(error, OSError):
            raise DataError(f"{doing}: {said}") from error
        raise BadInputError(f"{doing}: {file} cannot be read as Parquet: {said}") from error
