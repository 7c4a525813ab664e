"""The zones that ship with the code are TLC's."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from data_engineering.trips.zones import BOROUGH_OF


def test_every_known_zone_lies_in_one_of_six_boroughs():
    assert sorted(BOROUGH_OF) == list(range(1, 264))
    assert set(BOROUGH_OF.values()) == {
        "EWR", "Bronx", "Brooklyn", "Manhattan", "Queens", "Staten Island",
    }  # fmt: skip


def test_boroughs_are_those_of_tlcs_own_lookup(tlc_file: Callable[[str], Path]):
    with tlc_file("taxi_zone_lookup.csv").open(newline="") as file:
        theirs = {int(row["LocationID"]): row["Borough"] for row in csv.DictReader(file)}
    assert {zone: theirs[zone] for zone in BOROUGH_OF} == BOROUGH_OF
    assert {zone for zone, name in theirs.items() if name == "Unknown"} == {264, 265}
