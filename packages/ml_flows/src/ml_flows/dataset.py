"""The feature datasets that the data team publishes: which version, is it as agreed, its rows.

Readers start from <root>/<cab>/<month>/current.json, which names one immutable version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from ml_flows import storage
from ml_flows.errors import InputError

if TYPE_CHECKING:
    import polars as pl

CONTRACT = 1
"""Version of the agreement with the data team that this code reads."""

CABS = ("green", "yellow")

Manifest = dict[str, Any]
"""current.json: contract, cab, month, version, uri, rows, columns and what the data team adds."""

_INTEGER, _NUMBER, _TIME = "an integer", "a number", "a time without time zone"

COLUMNS: Mapping[str, str] = {
    "pickup_at": _TIME,
    "pickup_zone": _INTEGER,
    "dropoff_zone": _INTEGER,
    "weekday": _INTEGER,
    "duration_minutes": _NUMBER,
}
"""The columns that the flows read, and what each must be."""


class Split(TypedDict):
    """Which versions a training reads. Without a test dataset the time from held_out_from on, in
    the train months themselves, is held out."""

    cab: str
    train: list[Manifest]
    test: Manifest | None
    held_out_from: datetime | None


def parse_months(text: str, parameter: str) -> list[str]:
    """ "2023-11, 2023-12" -> ["2023-11", "2023-12"], sorted.

    Raises:
        InputError: empty, or not months; the text names the parameter.
    """
    months = sorted({part.strip() for part in text.split(",") if part.strip()})
    if not months:
        raise InputError(f"{parameter} is empty. Give months as YYYY-MM, separated by commas.")
    for month in months:
        first_day(month, parameter)
    return months


def first_day(month: str, parameter: str = "month") -> date:
    """The first day of a YYYY-MM.

    Raises:
        InputError: no such month.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise InputError(f"{parameter}: {month!r} is no month. Write it as YYYY-MM.")
    return date(int(month[:4]), int(month[5:]), 1)


def last_days(month: str, days: int = 7) -> datetime:
    """The moment when the month's last days begin."""
    next_month = (first_day(month) + timedelta(days=31)).replace(day=1)
    start = next_month - timedelta(days=days)
    return datetime(start.year, start.month, start.day)


def manifest_uri(root: str, cab: str, month: str) -> str:
    """Where a month's current.json stands."""
    return f"{root.rstrip('/')}/{cab}/{month}/current.json"


def resolve(root: str, cab: str, month: str) -> Manifest:
    """The current version of a month's dataset, checked; the version it names stays readable.

    Raises:
        InputError: no bucket, no dataset, no access, or not as agreed.
        StorageUnavailableError: the server does not answer.
    """
    if cab not in CABS:
        raise InputError(f"cab: {cab!r} is none of {', '.join(CABS)}.")
    uri = manifest_uri(root, cab, month)
    try:
        manifest = storage.read_json(uri)
    except storage.NoObjectError as error:
        raise InputError(
            f"There is no feature dataset of {cab} taxis for {month}: {uri} does not exist. "
            "Run the DAG data_engineering_dag for this month, or correct features_root."
        ) from error
    checked = check_manifest(manifest, uri, cab=cab, month=month)
    storage.require_object(checked["uri"])
    return checked


def plan_split(root: str, cab: str, train_months: str, test_month: str) -> Split:
    """Pin the datasets of a training.

    Args:
        test_month: "" to hold out the last 7 days of the train months.

    Raises:
        InputError: months that make no sense, or what resolve() raises.
    """
    months = parse_months(train_months, "train_months")
    test = test_month.strip()
    if test:
        first_day(test, "test_month")
        if test in months:
            raise InputError(
                f"test_month {test} is also among train_months ({', '.join(months)}): a model is "
                "tested on time that it has not seen. Take it out of one of them."
            )
    return Split(
        cab=cab,
        train=[resolve(root, cab, month) for month in months],
        test=resolve(root, cab, test) if test else None,
        held_out_from=None if test else last_days(months[-1]),
    )


def manifests(split: Split) -> list[Manifest]:
    """All datasets of a training."""
    return [*split["train"], *([split["test"]] if split["test"] else [])]


def made_up(split: Split) -> list[str]:
    """The months whose trips never happened: the data team's generator made them."""
    return [each["month"] for each in manifests(split) if each.get("source") == "generator"]


def train_period(split: Split) -> str:
    """Such as "2023-11, 2023-12 before 2023-12-25"."""
    months = ", ".join(str(manifest["month"]) for manifest in split["train"])
    start = split["held_out_from"]
    return f"{months} before {start:%Y-%m-%d}" if start else months


def test_period(split: Split) -> str:
    """Such as "2024-01" or "2023-12 from 2023-12-25"."""
    if split["test"]:
        return str(split["test"]["month"])
    return f"{split['train'][-1]['month']} from {split['held_out_from']:%Y-%m-%d}"


def check_manifest(manifest: Any, uri: str, *, cab: str, month: str) -> Manifest:
    """The manifest, if it is what both teams agreed on. Pure.

    Raises:
        InputError: naming the URI and the field or column.
    """
    if not isinstance(manifest, dict):
        raise InputError(f"{uri} holds no JSON object.")
    if manifest.get("contract") != CONTRACT:
        raise InputError(
            f"{uri} follows contract {manifest.get('contract')!r}; these flows read contract "
            f"{CONTRACT}. Publish the dataset again, or deploy flows that know that contract."
        )
    for field in ("cab", "month", "version", "uri", "rows", "columns"):
        if field not in manifest:
            raise InputError(f"{uri} has no field {field!r}.")
    for field, wanted in (("cab", cab), ("month", month)):
        if manifest[field] != wanted:
            raise InputError(f"{uri} says {field} {manifest[field]!r}, not {wanted!r}.")
    if not manifest["rows"]:
        raise InputError(f"{uri}: version {manifest['version']} of {month} has no rows.")
    check_columns(manifest["columns"], uri)
    return manifest


def check_columns(columns: Mapping[str, str], uri: str) -> None:
    """Compare names and Polars types with what the flows read. Pure.

    Raises:
        InputError: naming the URI and each column that is missing or of a wrong type.
    """
    problems = []
    for name, wanted in COLUMNS.items():
        found = columns.get(name)
        if found is None:
            problems.append(f"column {name!r} is missing")
        elif not _is(str(found), wanted):
            problems.append(f"column {name!r} is {found}, not {wanted}")
    if problems:
        raise InputError(f"{uri} is not as agreed: {'; '.join(problems)}.")


def _is(dtype: str, wanted: str) -> bool:
    if wanted == _INTEGER:
        return re.fullmatch(r"U?Int\d+", dtype) is not None
    if wanted == _NUMBER:
        return re.fullmatch(r"U?Int\d+|Float\d+", dtype) is not None
    return dtype.startswith("Datetime") and not re.search(r"time_zone='|, '[A-Z]", dtype)


def read(
    manifests: Sequence[Manifest],
    *,
    before: datetime | None = None,
    since: datetime | None = None,
    max_rows: int = 0,
    seed: int = 0,
) -> pl.DataFrame:
    """The trips of some months, COLUMNS only, in one order for one seed.

    Args:
        before, since: only trips picked up then, where given.
        max_rows: a random sample of about so many, each month by its share; 0 for all.

    Raises:
        InputError: a file is not what its manifest says, or no trip is left.
    """
    import polars as pl

    rows = sum(int(manifest["rows"]) for manifest in manifests)
    share = min(1.0, max_rows / rows) if max_rows else 1.0
    frames = []
    for manifest in manifests:
        frame = _read_one(str(manifest["uri"]), before, since)
        frames.append(_sample(frame, share, seed) if share < 1 else frame)
    trips = pl.concat(frames)
    if trips.is_empty():
        uris = ", ".join(str(manifest["uri"]) for manifest in manifests)
        window = " ".join(
            f"{name} {value:%Y-%m-%d}"
            for name, value in (("since", since), ("before", before))
            if value
        )
        raise InputError(f"No trips {window or 'at all'} in {uris}.")
    return trips


def read_train(split: Split, *, max_rows: int = 0, seed: int = 0) -> pl.DataFrame:
    """The trips to learn from; see read()."""
    return read(split["train"], before=split["held_out_from"], max_rows=max_rows, seed=seed)


def read_test(split: Split, *, max_rows: int = 0, seed: int = 0) -> pl.DataFrame:
    """The held-out trips; see read()."""
    held_out = [split["test"]] if split["test"] else split["train"]
    return read(held_out, since=split["held_out_from"], max_rows=max_rows, seed=seed)


def _read_one(uri: str, before: datetime | None, since: datetime | None) -> pl.DataFrame:
    import polars as pl

    try:
        lazy = pl.scan_parquet(uri, storage_options=storage.polars_options())
        schema = {name: str(dtype) for name, dtype in lazy.collect_schema().items()}
        check_columns(schema, uri)
        lazy = lazy.select(
            pl.col("pickup_at").cast(pl.Datetime("us")),
            pl.col("pickup_zone").cast(pl.Int16),
            pl.col("dropoff_zone").cast(pl.Int16),
            pl.col("weekday").cast(pl.Int8),
            pl.col("duration_minutes").cast(pl.Float32),
        )
        if before is not None:
            lazy = lazy.filter(pl.col("pickup_at") < before)
        if since is not None:
            lazy = lazy.filter(pl.col("pickup_at") >= since)
        frame = lazy.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        # Whether the object, the server or the file is at fault: ask for the object itself.
        storage.require_object(uri)
        raise InputError(f"{uri} cannot be read as Parquet: {error}") from error
    for name in frame.columns:
        if nulls := frame[name].null_count():
            raise InputError(f"{uri} is not as agreed: column {name!r} has {nulls} nulls.")
    return frame


def _sample(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    import numpy as np

    count = round(frame.height * share)
    chosen = np.random.default_rng(seed).choice(frame.height, size=count, replace=False)
    chosen.sort()
    return frame[chosen]
