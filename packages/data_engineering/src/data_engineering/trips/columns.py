"""Which columns of a file are the ones that we need. Pure: a Polars schema in, a choice out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from data_engineering.contract.months import check_cab
from data_engineering.contract.releases import COORDINATES, RELEASES, Column, Kind
from data_engineering.errors import BadInputError


@dataclass(frozen=True)
class Columns:
    """What was found in a file.

    `used` maps a feature to the file's column. The others are for the manifest and the log:
    columns that we do not know, known ones under another name, and those of another type than in
    TLC's files of today.
    """

    used: Mapping[str, str]
    unknown: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    retyped: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say what is unusual, a line each."""
        said = []
        if self.unknown:
            said.append(f"columns that we do not know: {', '.join(self.unknown)}")
        if self.renamed:
            names = (f"{found} for {name}" for name, found in self.renamed.items())
            said.append(f"columns under another name: {', '.join(names)}")
        if self.retyped:
            types = (f"{name} {found}" for name, found in self.retyped.items())
            said.append(f"columns of another type than today's: {', '.join(types)}")
        return said


def find_columns(schema: pl.Schema, cab: str, where: str, *, text: bool = False) -> Columns:
    """Return the columns that features need, and what is unusual about the file.

    Args:
        schema: the file's columns.
        cab: green or yellow.
        where: the file's name, for errors.
        text: the file is CSV, whose columns have no types yet.

    Raises:
        BadInputError: a needed column is missing, is there twice, or holds something else.
    """
    release = RELEASES[check_cab(cab)]
    there: dict[str, str] = {}
    for each in schema:
        other = there.setdefault(_plain(each), each)
        if other != each:
            raise BadInputError(f"{where} has both a column {other} and a column {each}")
    found = {column.name: _named(column, there, where) for column in release}
    _refuse_missing(release, found, there, schema, cab, where)
    used: dict[str, str] = {}
    renamed: dict[str, str] = {}
    retyped: dict[str, str] = {}
    for column in release:
        if (name := found[column.name]) is None:
            continue
        if name.casefold() != column.name.casefold():
            renamed[column.name] = name
        if not text:
            if column.feature and not _holds(schema[name], column.kind):
                raise BadInputError(
                    f"column {name} of {where} has the type {schema[name]}: "
                    f"it must be {column.kind}"
                )
            if str(schema[name]) != column.usual:
                retyped[name] = str(schema[name])
        if column.feature:
            used[column.feature] = name
    known = {name for name in found.values() if name is not None}
    return Columns(used, [name for name in schema if name not in known], renamed, retyped)


def _plain(name: str) -> str:
    """Return the name as names are compared: TLC's CSV files of 2014 have blanks around theirs."""
    return name.strip().casefold()


def _named(column: Column, there: Mapping[str, str], where: str) -> str | None:
    names = [there[name] for name in column.names if name in there]
    if len(names) > 1:
        raise BadInputError(f"{where} has both a column {names[0]} and a column {names[1]}")
    return names[0] if names else None


def _refuse_missing(
    release: tuple[Column, ...],
    found: Mapping[str, str | None],
    there: Mapping[str, str],
    schema: pl.Schema,
    cab: str,
    where: str,
) -> None:
    missing = [each.name for each in release if each.required and found[each.name] is None]
    if not missing:
        return
    places = [there[name] for name in sorted(COORDINATES & there.keys())]
    if places and not {"PULocationID", "DOLocationID"}.isdisjoint(missing):
        raise BadInputError(
            f"{where} has coordinates ({', '.join(places)}) and no zones, like TLC's files of 2009 "
            "and 2010 and its older CSV files up to June 2016. Features need zones: TLC's Parquet "
            "files have them from 2011 on"
        )
    raise BadInputError(
        f"{where} has no column {', '.join(missing)}: features of {cab} trips need it. "
        f"Its columns are {', '.join(schema) or 'none'}"
    )


def _holds(dtype: pl.DataType, kind: Kind) -> bool:
    """A column that is null all the way has no type of its own, and fits any kind."""
    match kind:
        case Kind.TIME:
            return (isinstance(dtype, pl.Datetime) and dtype.time_zone is None) or dtype == pl.Null
        case Kind.NUMBER:
            return dtype.is_numeric() or dtype == pl.Null
        case Kind.TEXT:
            return dtype in (pl.String, pl.Null) or isinstance(dtype, pl.Categorical | pl.Enum)
