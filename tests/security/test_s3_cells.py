"""Each cell of the page's table of S3 users is tried on a real server with the same policies."""

from __future__ import annotations

from documented import printed, table

from .s3_cells import server, tried


def test_each_s3_user_reaches_what_is_documented_and_nothing_else() -> None:
    documented = {
        (user, place.strip("`")): cell for (user, place), cell in table("S3 user").items()
    }
    places = list(dict.fromkeys(place for _, place in documented))

    with server() as (root, users):
        found = tried(root, users, places)

    assert found == documented, printed("S3 user", found)
