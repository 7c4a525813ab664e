"""Parquet objects that are written in parts, with the checksum that readers verify."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_engineering.errors import DataError
from data_engineering.storage.objects import Storage

_ROW_GROUP = 150_000
# Times differ from row to row: a dictionary of them is slower and larger.
_NO_DICTIONARY = {"pickup_at": "DELTA_BINARY_PACKED", "source_row": "DELTA_BINARY_PACKED"}
# What readers may filter by; statistics of the others cost time and tell nothing.
_SEARCHED = ("pickup_at", "zone_pair", "pickup_zone", "dropoff_zone")


@dataclass(frozen=True)
class FileFacts:
    """What readers need to know of a published file."""

    uri: str
    bytes: int
    sha256: str
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


class _Summed(io.RawIOBase):
    """Passes bytes on, and sums them up."""

    def __init__(self, to: BinaryIO) -> None:
        self._to, self._sum, self.size = to, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sum.update(data)
        self._to.write(data)
        size = memoryview(data).nbytes
        self.size += size
        return size

    def digest(self) -> str:
        return self._sum.hexdigest()


class ParquetSink:
    """A Parquet object that takes frames of one schema."""

    def __init__(self, file: BinaryIO, uri: str, schema: Mapping[str, pl.DataType]) -> None:
        self._uri, self._schema = uri, pl.Schema(schema)
        self._file = _Summed(file)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pl.DataFrame] = []
        self.rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows; columns of a fixed set of words may come as such, and are written as text."""
        if frame.is_empty():
            return
        self.rows += frame.height
        self._waiting.append(frame)
        if sum(each.height for each in self._waiting) >= _ROW_GROUP:
            self._flush()

    def end(self) -> FileFacts:
        """Write what is left and the footer; return what readers need to know."""
        if self._waiting or self._writer is None:
            self._flush()
        assert self._writer is not None  # noqa: S101 - `_flush` made it
        self._writer.close()
        return FileFacts(self._uri, self._file.size, self._file.digest(), self.rows)

    def _flush(self) -> None:
        frame = pl.concat(self._waiting) if self._waiting else pl.DataFrame(schema=self._schema)
        self._waiting = []
        if self._writer is None:
            self._check(frame)
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._file, mode="w"),
                table.schema,
                compression="zstd",
                use_dictionary=[name for name in frame.columns if name not in _NO_DICTIONARY]
                + ["reasons.list.element"],
                write_statistics=[name for name in _SEARCHED if name in frame.columns],
                column_encoding={n: e for n, e in _NO_DICTIONARY.items() if n in frame.columns},
                # Readers shall see text where a dictionary of words was written.
                store_schema=False,
                write_page_checksum=True,
            )
            self._writer.write_table(table)
        else:
            self._writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def _check(self, frame: pl.DataFrame) -> None:
        types = {
            name: pl.String() if isinstance(dtype, pl.Enum) else dtype
            for name, dtype in frame.schema.items()
        }
        if pl.Schema(types) != self._schema:
            raise DataError(f"{self._uri} would get {types}, but {self._schema} is agreed")


@contextmanager
def parquet(storage: Storage, key: str, schema: Mapping[str, pl.DataType]) -> Iterator[ParquetSink]:
    """Write a Parquet object; it appears when the block ends, in which `end` is called."""
    with storage.writing(key) as file:
        yield ParquetSink(file, storage.uri(key), schema)


def read_verified(storage: Storage, key: str, facts: Mapping[str, Any]) -> pl.DataFrame:
    """Return a small Parquet object whose size and checksum are those of its manifest.

    Raises:
        DataError: it is missing, or not what was published.
    """
    content = storage.get(key)
    if content is None:
        raise DataError(f"{storage.uri(key)} is missing, although its manifest names it")
    found = hashlib.sha256(content).hexdigest()
    if (len(content), found) != (facts["bytes"], facts["sha256"]):
        raise DataError(
            f"{storage.uri(key)} is not what was published: it has {len(content):,} bytes of "
            f"SHA-256 {found}, its manifest says {facts['bytes']:,} and {facts['sha256']}"
        )
    return pl.read_parquet(io.BytesIO(content))
