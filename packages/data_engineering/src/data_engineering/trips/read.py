"""A trip file as batches of trips: Parquet, CSV or gzipped CSV, in memory that does not grow.

Row groups of TLC's files hold a million rows and more; they are decoded in parts.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_engineering.errors import BadInputError, DataError
from data_engineering.trips.columns import Columns, find_columns

BATCH = 80_000
"""Rows at a time."""

_CSV_BLOCK = 16 << 20
_HEAD = 64 << 10
_TIMES = ("pickup_at", "dropoff_at")
_ZONES = ("pickup_zone", "dropoff_zone")
_MONEY = ("trip_distance_miles", "fare_dollars", "total_dollars")
# Beyond, a value in coarser units has no place in microseconds since 1970.
_LAST = {"ms": 2**62 // 1_000, "ns": 2**63 - 1, "us": 2**63 - 1}

Open = Callable[[], BinaryIO]
Form = Literal["parquet", "csv", "csv.gz"]


@dataclass(frozen=True)
class TripFile:
    """A file whose columns are known to be a cab's; it can be read as often as needed."""

    open: Open
    where: str
    form: Form
    columns: Columns

    def batches(
        self, then: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda trips: trips
    ) -> Iterator[pl.DataFrame]:
        """Read the file: `source_row`, and the features' columns in one set of types.

        Args:
            then: what else is to be made of each batch, in the same plan.

        Raises:
            BadInputError: the file is damaged.
        """
        first = 0
        with closing(self.open()) as file, explained(self.where, self.form):
            for batch in _parts(file, self.form, list(self.columns.used.values())):
                yield then(
                    _trips(batch, self.columns, first, text=self.form != "parquet")
                ).collect()
                first += batch.num_rows


def open_trips(open_file: Open, cab: str, where: str) -> TripFile:
    """Look at the file's beginning and columns.

    Args:
        open_file: returns the file, at its beginning.
        cab: whose columns it must have.
        where: the file's name, for errors.

    Raises:
        BadInputError: it is neither Parquet nor CSV, or has not the cab's columns. No content of
            it is in the message: whoever may name a file may not be one who may read it.
    """
    with closing(open_file()) as file:
        form = _form(file.read(_HEAD), where)
    with closing(open_file()) as file, explained(where, form):
        if form == "parquet":
            with pq.ParquetFile(file, pre_buffer=False) as parquet:
                empty = parquet.schema_arrow.empty_table()
            schema = pl.Schema(pl.DataFrame(empty).schema)
        else:
            names = _csv(file, form).schema.names
            schema = pl.Schema(dict.fromkeys(names, pl.String()))
    return TripFile(
        open_file, where, form, find_columns(schema, cab, where, text=form != "parquet")
    )


@contextmanager
def explained(where: str, form: str) -> Iterator[None]:
    """Turn what reading a damaged file raises into BadInputError.

    An OSError with a number comes from the system (a disk, a network) and is passed on.
    """
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        what = "Parquet" if form == "parquet" else "CSV"
        raise BadInputError(
            f"{where} cannot be read as {what}: it is damaged or cut off ({_kind(error)})"
        ) from error


def _kind(error: BaseException) -> str:
    """Return what went wrong without the values that Arrow puts into its messages."""
    said = " ".join(str(error).split())
    for sign in ("magic bytes", "end of stream", "Corrupt", "decompress", "checksum", "CRC",
                 "thrift", "footer", "Expected"):  # fmt: skip
        if sign.casefold() in said.casefold():
            return f"{type(error).__name__}: {sign}"
    return type(error).__name__


def _form(begin: bytes, where: str) -> Form:
    if not begin:
        raise BadInputError(f"{where} is empty")
    if begin.startswith(b"PAR1"):
        return "parquet"
    form: Form = "csv"
    if begin.startswith(b"\x1f\x8b"):
        form = "csv.gz"
        try:
            begin = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(begin, _HEAD)
        except zlib.error as error:
            raise BadInputError(f"{where} is gzipped, but damaged") from error
    line = begin.partition(b"\n")[0].lower()
    if b"," not in line or not any(b"datetime" in name for name in line.split(b",")):
        raise BadInputError(f"{where} is neither a Parquet file nor a CSV file with TLC's columns")
    return form


def _csv(file: BinaryIO, form: Form) -> pa_csv.CSVStreamingReader:
    source = gzip.GzipFile(fileobj=file) if form == "csv.gz" else file
    # All columns as text: what Arrow would guess from the first block need not hold for the next.
    names = source.readline().decode(errors="replace").rstrip("\r\n").split(",")
    names = [name.strip('"\ufeff') for name in names]
    return pa_csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pa_csv.ReadOptions(
            block_size=_CSV_BLOCK, use_threads=False, column_names=names
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=["", "NULL", "\\N"],
        ),
    )


def _parts(file: BinaryIO, form: Form, names: list[str]) -> Iterator[pa.RecordBatch]:
    if form == "parquet":
        with pq.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=1 << 20,
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
        ) as parquet:
            yield from parquet.iter_batches(BATCH, columns=names, use_threads=False)
    else:
        for batch in _csv(file, form):
            yield batch.select(names)


def _trips(batch: pa.RecordBatch, columns: Columns, first: int, *, text: bool) -> pl.LazyFrame:
    frame = pl.DataFrame(batch).rename({name: feature for feature, name in columns.used.items()})
    if "total_dollars" not in frame.columns:
        frame = frame.with_columns(total_dollars=pl.lit(None, pl.Float64))
    types = frame.schema
    return frame.lazy().select(
        pl.int_range(first, first + frame.height, dtype=pl.Int64).alias("source_row"),
        *(_time(name, types[name], text=text) for name in _TIMES),
        *(_whole(name, types[name], pl.Int16, text=text) for name in _ZONES),
        _whole("passenger_count", types["passenger_count"], pl.Int8, text=text),
        *(pl.col(name).cast(pl.Float64, strict=not text).fill_nan(None) for name in _MONEY),
    )


def _time(name: str, dtype: pl.DataType, *, text: bool) -> pl.Expr:
    column = pl.col(name)
    if text:
        return column.str.strip_chars().str.to_datetime(
            "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False, exact=False
        )
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ms":
        value = column.to_physical()
        column = pl.when(value.is_between(-_LAST["ms"], _LAST["ms"])).then(column)
    return column.cast(pl.Datetime("us")).alias(name)


def _whole(name: str, dtype: pl.DataType, to: type[pl.DataType], *, text: bool) -> pl.Expr:
    """Return whole numbers; a value that does not fit is null, and so is a fraction or NaN."""
    column = pl.col(name)
    if dtype.is_integer():
        return column.cast(to, strict=False)
    number = column.cast(pl.Float64, strict=not text)
    return pl.when(number == number.round()).then(number).cast(to, strict=False).alias(name)
