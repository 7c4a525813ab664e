"""Parquet objects that are written in parts, with the checksum that readers verify."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_engineering.errors import DataError
from data_engineering.storage.objects import Storage

_ROW_GROUP = 80_000
_BUFFER = 1 << 20
# Numbers of which most differ, or that bits hold as tightly as a dictionary's: hashing them for
# one costs more than it saves.
_AS_DELTAS = (
    "pickup_at", "source_row", "minute_of_day", "zone_pair", "pickup_zone", "dropoff_zone", "hour",
)  # fmt: skip
# Packed bits that have no pattern: zstd makes them no smaller.
_UNCOMPRESSED = (
    *_AS_DELTAS[2:], "day_of_month", "pair_trips", "pair_median_minutes", "pair_median_miles",
    "trip_distance_miles", "duration_minutes", "fare_dollars",
)  # fmt: skip
# Rows come in no order: statistics of other columns would be the same in all row groups.
_SEARCHED = ("pickup_at",)


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
    """Passes bytes on, and sums them up. Pages come in thousands: give it a buffer."""

    def __init__(self, to: BinaryIO) -> None:
        self._to, self._sum, self.size = to, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        own = bytes(data)  # a buffer fills again while the store still sends
        self._sum.update(own)
        self._to.write(own)
        self.size += len(own)
        return len(own)

    def digest(self) -> str:
        return self._sum.hexdigest()


class ParquetSink:
    """A Parquet object that takes frames of one schema; some columns may be without nulls."""

    def __init__(
        self,
        file: BinaryIO,
        uri: str,
        schema: Mapping[str, pl.DataType],
        never_null: Collection[str] = (),
    ) -> None:
        self._uri, self._schema, self._never_null = uri, pl.Schema(schema), never_null
        self._summed = _Summed(file)
        self._file = io.BufferedWriter(self._summed, _BUFFER)
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
        self._file.flush()
        return FileFacts(self._uri, self._summed.size, self._summed.digest(), self.rows)

    def _flush(self) -> None:
        frame = pl.concat(self._waiting) if self._waiting else pl.DataFrame(schema=self._schema)
        self._waiting = []
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._check(frame)
            self._writer = self._open(table.schema)
        self._writer.write_table(pa.Table.from_arrays(table.columns, schema=self._writer.schema))

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        fields = [field.with_nullable(field.name not in self._never_null) for field in schema]
        names = schema.names
        return pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"),
            pa.schema(fields),
            compression={n: "none" if n in _UNCOMPRESSED else "zstd" for n in names},
            use_dictionary=[name for name in names if name not in _AS_DELTAS]
            + ["reasons.list.element"],
            write_statistics=[name for name in _SEARCHED if name in names],
            column_encoding={n: "DELTA_BINARY_PACKED" for n in _AS_DELTAS if n in names},
            # Readers shall see text where a dictionary of words was written.
            store_schema=False,
            write_page_checksum=True,
        )

    def _check(self, frame: pl.DataFrame) -> None:
        types = {
            name: pl.String() if isinstance(dtype, pl.Enum) else dtype
            for name, dtype in frame.schema.items()
        }
        if pl.Schema(types) != self._schema:
            raise DataError(f"{self._uri} would get {types}, but {self._schema} is agreed")


@contextmanager
def parquet(
    storage: Storage,
    key: str,
    schema: Mapping[str, pl.DataType],
    never_null: Collection[str] = (),
) -> Iterator[ParquetSink]:
    """Write a Parquet object; it appears when the block ends, in which `end` is called."""
    with storage.writing(key) as file:
        yield ParquetSink(file, storage.uri(key), schema, never_null)


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
