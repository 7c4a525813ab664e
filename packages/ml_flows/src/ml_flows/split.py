"""Which months a training learns from, stops and calibrates on, and is tested on: in this order of
time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from ml_flows import contract
from ml_flows.contract import Manifest
from ml_flows.errors import InputError

if TYPE_CHECKING:
    import polars as pl

TEST_DAYS = 7
"""Without a test month: the last days of the training months are held out."""


class Split(TypedDict):
    """Which versions a training reads, and when one part ends and the next begins: trips before
    validate_from are learned from; from then on they stop the trees; from held_out_from on, or in
    the test month, the model is tested."""

    cab: str
    train: list[Manifest]
    test: Manifest | None
    validate_from: datetime
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
    if not re.fullmatch(r"[12]\d{3}-(0[1-9]|1[0-2])", month):
        raise InputError(f"{parameter}: {month!r} is no month. Write it as YYYY-MM.")
    return date(int(month[:4]), int(month[5:]), 1)


def last_days(month: str, days: int) -> datetime:
    """The moment when the month's last days begin."""
    next_month = (first_day(month) + timedelta(days=31)).replace(day=1)
    return _begin(next_month - timedelta(days=days))


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def month_before(month: str) -> str:
    """The month before, which ends when it begins.

    Raises:
        InputError: no such month.
    """
    return f"{first_day(month, 'test_month') - timedelta(days=1):%Y-%m}"


def year_before(month: str) -> str:
    """The same month of the year before."""
    return f"{int(month[:4]) - 1}{month[4:]}"


def check_order(train: list[str], test: str) -> None:
    """Refuse a test month that is not later than every month to learn from.

    Raises:
        InputError: naming the months.
    """
    if not test:
        return
    first_day(test, "test_month")
    later = [month for month in train if month >= test]
    if test in train:
        raise InputError(
            f"test_month {test} is also among train_months ({', '.join(train)}): a model is "
            "tested on time that it has not seen. Take it out of one of them."
        )
    if later:
        raise InputError(
            f"test_month {test} is before {', '.join(later)} of train_months: a model is tested "
            "on time that comes after all that it learned from. Test on a later month, or leave "
            f"test_month empty to hold out the last {TEST_DAYS} days of the train months."
        )


def earlier_and_later(trips: pl.DataFrame, split: Split) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The trips to learn from, and the later ones that stop the trees and calibrate.

    Raises:
        InputError: too few of either.
    """
    from ml_flows.model import FEWEST

    start = split["validate_from"]
    later = trips["pickup_at"] >= start
    parts = trips.filter(~later), trips.filter(later)
    for part, name in zip(parts, ("before", "from"), strict=True):
        if part.height < FEWEST:
            raise InputError(
                f"{part.height} trips {name} {start:%Y-%m-%d} in {train_period(split)}: a model "
                f"needs at least {FEWEST}. Raise max_rows, or add months to train_months."
            )
    return parts


def learned_until(split: Split) -> datetime:
    """The moment after the last trip that the model may have learned from."""
    return split["held_out_from"] or last_days(trained_months(split)[-1], 0)


def tested_from(split: Split) -> datetime:
    """The moment of the first trip that it may be tested on."""
    return split["held_out_from"] or _begin(first_day(tested_months(split)[0]))


def relation(trained: Iterable[str], month: str) -> str:
    """How a month to predict lies to the months that a model learned from.

    Returns:
        "after" all of them; "learned from" when it is one; "before" the last of them.
    """
    trained = list(trained)
    if month in trained:
        return "learned from"
    return "after" if all(each < month for each in trained) else "before"


def warning(time_order: str, month: str, learned: Iterable[str]) -> str:
    """What to say loudly of predictions that are no forecast; "" for those that are one."""
    months = ", ".join(learned)
    return {
        "after": "",
        "learned from": f"WARNING: the model LEARNED FROM {month}: it has seen how long these "
        "trips took, so that its errors here say nothing about how well it predicts.",
        "before": f"WARNING: the model learned from {months}, LATER than {month}: nobody could "
        "have made these predictions then.",
    }[time_order]


def manifests(split: Split) -> list[Manifest]:
    """All datasets of a training."""
    return [*split["train"], *([split["test"]] if split["test"] else [])]


def trained_months(split: Split) -> list[str]:
    """The months that the model learned from."""
    return [str(manifest["month"]) for manifest in split["train"]]


def tested_months(split: Split) -> list[str]:
    """The months of the trips that it is tested on."""
    return [str(split["test"]["month"])] if split["test"] else trained_months(split)


def made_up(split: Split) -> list[str]:
    """The months whose trips never happened: the data team's generator made them."""
    return [each["month"] for each in manifests(split) if contract.made_up(each)]


def train_period(split: Split) -> str:
    """Such as "2023-11, 2023-12 before 2023-12-25"."""
    months = ", ".join(trained_months(split))
    start = split["held_out_from"]
    return f"{months} before {start:%Y-%m-%d}" if start else months


def test_period(split: Split) -> str:
    """Such as "2024-01" or "2023-12 from 2023-12-25"."""
    if split["test"]:
        return str(split["test"]["month"])
    return f"{split['train'][-1]['month']} from {split['held_out_from']:%Y-%m-%d}"
