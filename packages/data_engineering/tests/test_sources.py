"""What a source means, which are allowed, and that nothing takes the place of real trips."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_engineering.contract import months as contract
from data_engineering.errors import BadInputError
from data_engineering.sources.allowed import check_allowed
from data_engineering.sources.origin import Origin, check_reachable, fetch, resolve
from s3_server import free_ports

from .http_site import Site

NAME = "green_tripdata_2024-01.parquet"
ANY = ["*"]


def origin(source: str, month: str = "2024-01") -> Origin:
    return resolve(source, "green", month, rows=10, seed=1)


@pytest.mark.parametrize(
    ("source", "kind", "location"),
    [
        ("", "tlc", f"https://tlc.test/data/{NAME}"),
        ("tlc", "tlc", f"https://tlc.test/data/{NAME}"),
        ("generator", "generator", ""),
        ("/data/trips", "path", "/data/trips"),
        ("file:///data/trips", "path", "/data/trips"),
        ("http://a.test/trips/", "url", f"http://a.test/trips/{NAME}"),
        ("http://a.test", "url", f"http://a.test/{NAME}"),
        ("http://a.test/jan.parquet", "url", "http://a.test/jan.parquet"),
        ("http://a.test/jan.csv.gz", "url", "http://a.test/jan.csv.gz"),
        ("http://a.test/trips?key=k", "url", f"http://a.test/trips/{NAME}?key=k"),
        ("s3://bucket/trips", "url", f"s3://bucket/trips/{NAME}"),
    ],
)
def test_a_source_is_tlc_the_generator_a_path_or_a_url(
    source: str, kind: str, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLC_TRIP_DATA_URL", "https://tlc.test/data/")
    found = origin(source)
    assert (found.kind, found.location) == (kind, location)


def test_a_month_that_tlc_has_without_zones_is_refused_before_its_download() -> None:
    with pytest.raises(BadInputError, match="yellow 2010-12 has coordinates and no zones") as said:
        resolve("tlc", "yellow", "2010-12", rows=10, seed=1)
    assert "from 2011-01 on" in str(said.value)
    assert resolve("tlc", "yellow", "2011-01", rows=10, seed=1).kind == "tlc"
    # A file of one's own may have been given zones.
    assert resolve("/data/trips", "yellow", "2010-12", rows=10, seed=1).kind == "path"


def test_tlcs_own_site_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TLC_TRIP_DATA_URL", raising=False)
    assert origin("").location == (
        "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_2024-01.parquet"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("trips/jan.parquet", "trips/jan.parquet is a relative path"),
        ("ftp://a.test/x", "source ftp://… cannot be read"),
        ("http://a.test:port/x", "source is no URL that we understand"),
    ],
)
def test_a_source_that_we_cannot_read_is_refused(source: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        origin(source)


def test_passwords_and_signatures_are_not_shown() -> None:
    shown = origin("https://me:secret@a.test/jan.parquet?signature=secret").uri
    assert shown == "https://a.test/jan.parquet"


def test_nothing_takes_the_place_of_real_trips_when_tlc_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("TLC_TRIP_DATA_URL", f"http://127.0.0.1:{port}/trip-data")
    with pytest.raises(BadInputError) as raised:
        check_reachable([origin("")])
    said = str(raised.value)
    assert f"TLC's site cannot be reached (http://127.0.0.1:{port}/trip-data: " in said
    assert "refused" in said
    assert "--source generator" in said


def test_other_sources_are_not_asked_whether_they_are_there() -> None:
    (port,) = free_ports(1)
    check_reachable([origin(f"http://127.0.0.1:{port}/trips")])
    check_reachable([origin("generator")])


def test_a_month_that_tlc_has_not_published_is_an_error(
    web: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web.status_of_missing = 403
    monkeypatch.setenv("TLC_TRIP_DATA_URL", web.url)
    asked = [origin("", month) for month in ("2023-12", "2024-01")]
    check_reachable(asked)
    with pytest.raises(BadInputError, match=r"TLC has not published green 2023-12.*answers 403"):
        fetch(asked[0], tmp_path, [])


def test_a_missing_file_tells_what_lies_beside(tmp_path: Path) -> None:
    (tmp_path / "green_tripdata_2023-11.parquet").touch()
    with pytest.raises(BadInputError, match=rf"no file .*{NAME}: .*has green_tripdata_2023-11"):
        fetch(origin(str(tmp_path)), tmp_path, ANY)
    with pytest.raises(BadInputError, match=r"there is no folder .*nowhere on this machine"):
        fetch(origin(str(tmp_path / "nowhere" / "jan.parquet")), tmp_path, ANY)


@pytest.mark.parametrize("form", [".parquet", ".csv", ".csv.gz"])
def test_a_folder_gives_the_file_of_the_month(tmp_path: Path, form: str) -> None:
    path = tmp_path / NAME.replace(".parquet", form)
    path.write_bytes(b"x")
    assert fetch(origin(str(tmp_path)), tmp_path / "to", ANY) == path


def test_sources_are_named_as_current_json_has_them() -> None:
    kinds = {origin(source).kind for source in ("", "generator", "/a", "http://a.test")}
    assert kinds == {"tlc", "generator", "path", "url"}
    assert contract.file_name("green", "2024-01") == NAME


PLACES = ["/data/tlc", "https://a.test/trips", "s3://ours/in/"]


@pytest.mark.parametrize(
    "location",
    [
        "/data/tlc/jan.parquet",
        "/data/tlc",
        "https://a.test/trips/jan.parquet",
        "https://a.test/trips?key=k",
        "s3://ours/in/jan.parquet",
    ],
)
def test_what_lies_in_an_allowed_place_is_allowed(location: str) -> None:
    check_allowed(location, location, PLACES)
    check_allowed(location, location, ["*"])


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "/data/tlc/../secret",
        "/data/tlc-other/jan.parquet",
        "http://a.test/trips/jan.parquet",
        "https://a.test:8443/trips/jan.parquet",
        "https://a.test/tripsandmore",
        "https://a.test/trips/../secret",
        "https://a.test/trips/%2e%2e/secret",
        "https://a.test.evil.test/trips/x",
        "https://a.test@evil.test/trips/x",
        "s3://ours/other",
        "s3://theirs/in/x",
    ],
)
def test_what_lies_elsewhere_is_not(location: str) -> None:
    with pytest.raises(BadInputError, match=r"TRIP_DATA_SOURCES.*allows.*/data/tlc"):
        check_allowed(location, location, PLACES)


def test_a_link_out_of_an_allowed_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in" / NAME).symlink_to(tmp_path / "secret")
    with pytest.raises(BadInputError, match="may not be read from"):
        fetch(origin(str(tmp_path / "in")), tmp_path, [str(tmp_path / "in")])


def test_a_redirect_to_another_server_is_not_followed(web: Site, tmp_path: Path) -> None:
    web.redirects["/trips/" + NAME] = "http://127.0.0.1:9/secret"
    with pytest.raises(BadInputError, match=r"may not be read from http://127.0.0.1:9/secret"):
        fetch(origin(f"{web.url}/trips"), tmp_path, [web.url])
    assert list(tmp_path.iterdir()) == []
