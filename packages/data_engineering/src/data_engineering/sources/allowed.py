"""Which places trips may be read from: configuration, as whoever triggers a run names the place.

$TRIP_DATA_SOURCES holds folders and URL prefixes, with blanks between them. TLC's site, the
generator and the bucket or folder of the datasets are always allowed. `*` allows any place.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data_engineering.errors import BadInputError

VARIABLE = "TRIP_DATA_SOURCES"
ANY = "*"


def allowed_places() -> list[str]:
    """Return what $TRIP_DATA_SOURCES names."""
    return os.environ.get(VARIABLE, "").split()


def check_allowed(location: str, shown: str, places: Sequence[str]) -> None:
    """Raise BadInputError unless a path or URL lies below one of the places.

    Args:
        location: a path or a URL.
        shown: the same without secrets, for the error.
        places: folders, URL prefixes, or `*`.
    """
    if ANY in places or any(_below(location, place) for place in places):
        return
    listed = ", ".join(places) or "none"
    raise BadInputError(
        f"trips may not be read from {shown}: it is in none of the places that {VARIABLE} of the "
        f"workers allows ({listed}). Ask who runs them to add it"
    )


def _below(location: str, place: str) -> bool:
    if "://" not in location:
        # Links are followed: what a link leads to is what is read.
        folder, path = Path(place).expanduser(), Path(location).expanduser()
        return "://" not in place and path.resolve().is_relative_to(folder.resolve())
    asked, allowed = urlsplit(location), urlsplit(place)
    if (asked.scheme, asked.hostname, asked.port) != (
        allowed.scheme, allowed.hostname, allowed.port,
    ):  # fmt: skip
        return False
    inside, prefix = unquote(asked.path), allowed.path.rstrip("/")
    return ".." not in inside.split("/") and f"{inside}/".startswith(f"{prefix}/")
