"""Why a row of a trip file is set aside, and what is noted of rows that are kept."""

from __future__ import annotations

from collections.abc import Mapping

SHORTEST_MINUTES, LONGEST_MINUTES = 1, 60
TOO_LONG_MINUTES = 180
TOO_FAR_MILES = 100
LAST_KNOWN_ZONE = 263

REASONS: Mapping[str, str] = {
    "other_month": "picked up in another month, or no pickup time",
    "non_positive_duration": "dropped off when picked up or before, or no dropoff time",
    "too_long": f"longer than {TOO_LONG_MINUTES // 60} hours",
    "zero_distance": "a metered distance of 0 or less, or none",
    "too_far": f"farther than {TOO_FAR_MILES} miles",
    "unknown_zone": "from or to no known zone (264, 265 or none)",
    "outside_range": f"shorter than {SHORTEST_MINUTES} or longer than {LONGEST_MINUTES} minutes",
    "refund": "takes back another row: the same trip, fare and total with a minus",
    "duplicate": "the same as an earlier row in all columns that are read",
}
"""A row is set aside if any of these holds; it is counted once, under the first in this order."""

NOTED: Mapping[str, str] = {
    "null_passenger_count": "no passenger count",
    "non_positive_fare": "a fare of 0 or less",
}
"""What readers may want to know about rows that are kept."""
