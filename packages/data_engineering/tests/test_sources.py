"""What a source means, and which months fall back to the generator."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from data_engineering import contract, sources
from data_engineering.errors import BadInputError
from data_engineering.sources import Origin, resolve, tlc_or_generator
from s3_server import free_ports

from .http_site import Site

NAME = "green_tripdata_2024-01.parquet"


def origin(source: str) -> Origin:
    return resolve(source, "green", "2024-01", rows=10, seed=1)


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


def tlc_months() -> list[Origin]:
    return [resolve("", "green", month, rows=10, seed=1) for month in ("2023-12", "2024-01")]


def test_all_months_are_generated_when_tlc_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("TLC_TRIP_DATA_URL", f"http://127.0.0.1:{port}/trip-data")
    with caplog.at_level(logging.WARNING):
        found = tlc_or_generator(tlc_months(), rows=10, seed=3)
    assert found == [
        Origin("generator", "green", month, rows=10, seed=3) for month in ("2023-12", "2024-01")
    ]
    (warning,) = caplog.messages
    assert f"127.0.0.1:{port}" in warning
    assert "refused" in warning
    assert "GENERATED" in warning


def test_a_month_that_tlc_has_not_published_is_an_error_and_not_generated(
    web: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web.status_of_missing = 403
    monkeypatch.setenv("TLC_TRIP_DATA_URL", web.url)
    asked = tlc_months()
    assert tlc_or_generator(asked, rows=10, seed=3) == asked
    with pytest.raises(BadInputError, match=r"TLC has not published green 2023-12.*answers 403"):
        sources.fetch(asked[0], tmp_path)


def test_a_url_that_is_named_is_never_replaced() -> None:
    (port,) = free_ports(1)
    asked = [origin(f"http://127.0.0.1:{port}/trips")]
    assert tlc_or_generator(asked, rows=10, seed=3) == asked


def test_a_missing_file_tells_what_lies_beside(tmp_path: Path) -> None:
    (tmp_path / "green_tripdata_2023-11.parquet").touch()
    with pytest.raises(BadInputError, match=rf"no file .*{NAME}: .*has green_tripdata_2023-11"):
        sources.fetch(origin(str(tmp_path)), tmp_path)
    with pytest.raises(BadInputError, match=r"there is no folder .*nowhere on this machine"):
        sources.fetch(origin(str(tmp_path / "nowhere" / "jan.parquet")), tmp_path)


def test_a_folder_gives_the_file_of_the_month(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"x")
    assert sources.fetch(origin(str(tmp_path)), tmp_path / "to") == tmp_path / NAME


def test_sources_are_named_as_current_json_has_them() -> None:
    kinds = {origin(source).kind for source in ("", "generator", "/a", "http://a.test")}
    assert kinds == {"tlc", "generator", "path", "url"}
    assert contract.file_name("green", "2024-01") == NAME
