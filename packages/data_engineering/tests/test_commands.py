"""What the commands say and do, from a month to a backfill."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from data_engineering.cli import main
from s3_server import free_ports

from .commands import run
from .http_site import Site
from .trips_files import csv_bytes, row, table, whole_month, write


def test_parameters_that_make_no_sense(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "generator", "2024-13") == 1
    assert "month is '2024-13': it must read YYYY-MM" in capsys.readouterr().err
    assert main(["--source", "generator", "--rows", "0", "--root", root]) == 1
    assert "rows is 0" in capsys.readouterr().err


def test_made_up_trips_say_so_and_lie_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["--source", "generator", "--rows", "500", "--root", str(folder)]) == 0
    assert "green 2024-01 (made up): published" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["made-up"]
    current = json.loads((folder / "made-up/features/green/2024-01/current.json").read_text())
    assert (current["contract"], current["made_up"]) == (2, True)
    assert (current["cab"], current["month"]) == ("green", "2024-01")
    assert current["source"] == "generator"
    assert current["rows_read"] == 500 == current["rows"] + sum(current["set_aside"].values())
    features = pl.read_parquet(current["uri"])
    assert len(features) == current["rows"] == current["rows_kept"]
    assert {name: str(dtype) for name, dtype in features.schema.items()} == current["columns"]


def test_real_trips_stay_when_tlc_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(str(out), str(write(tmp_path, table(whole_month())))) == 0
    before = (out / "features/green/2024-01/current.json").read_bytes()
    (port,) = free_ports(1)
    monkeypatch.setenv("TLC_TRIP_DATA_URL", f"http://127.0.0.1:{port}")
    assert run(str(out), "") == 1
    assert "for made-up ones ask for them: --source generator" in capsys.readouterr().err
    assert (out / "features/green/2024-01/current.json").read_bytes() == before


def test_a_held_month_names_the_command_that_publishes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(str(out), str(write(tmp_path, table([row()])))) == 1
    said = capsys.readouterr().err
    command = said.partition("python -m data_engineering ")[2].split()
    assert command[0] == "publish-held"
    assert main(command) == 0
    assert "although 30 days have no trip" in capsys.readouterr().out
    assert (out / "features/green/2024-01/current.json").exists()


def test_a_month_that_fails_stops_no_other_and_running_again_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, table(whole_month()))
    command = ["backfill", "2023-12..2024-02", "--source", str(tmp_path)]
    command += ["--root", str(tmp_path / "out")]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "2 of 3 months failed: 2023-12, 2024-02" in said.err
    assert "green 2024-01: published" in said.out
    assert main(command) == 1
    assert "green 2024-01: unchanged" in capsys.readouterr().out


def test_a_file_that_has_not_changed_is_not_fetched_again(
    tmp_path: Path, web: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "/trips/green_tripdata_2024-01.parquet"
    web.files[name] = write(tmp_path, table(whole_month())).read_bytes()
    for _ in range(2):
        assert run(str(tmp_path / "out"), f"{web.url}/trips") == 0
    assert "green 2024-01: unchanged" in capsys.readouterr().out
    assert len(web.gets()) == 1
    web.tag = '"two"'
    web.files[name] = write(tmp_path, table(whole_month(a_day=3))).read_bytes()
    assert run(str(tmp_path / "out"), f"{web.url}/trips") == 0
    assert "green 2024-01: published" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_csv_files_give_the_same_rows_as_parquet(tmp_path: Path, form: str) -> None:
    rows = whole_month(row(trip_distance=0.0), row(passenger_count=None))
    content = csv_bytes(rows)
    path = tmp_path / f"green_tripdata_2024-01.{form}"
    path.write_bytes(gzip.compress(content) if form == "csv.gz" else content)
    assert run(str(tmp_path / "csv"), str(path)) == 0
    assert run(str(tmp_path / "parquet"), str(write(tmp_path, table(rows)))) == 0
    frames = []
    for name in ("csv", "parquet"):
        current = tmp_path / name / "features/green/2024-01/current.json"
        frames.append(pl.read_parquet(json.loads(current.read_text())["uri"]))
    assert frames[0].equals(frames[1])
