"""Listing versions, and removing old ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from data_engineering.cli import main
from data_engineering.contract.plausible import Limits
from data_engineering.errors import BadInputError
from data_engineering.publish.care import Version, list_versions, prune
from data_engineering.publish.manifest import Manifest, Provenance
from data_engineering.publish.versions import publish
from data_engineering.storage.objects import Storage

from .trips_files import opened, row, table, whole_month, write

CABS = ("green",)


def published(storage: Storage, folder: Path, rows: int) -> Manifest:
    """Publish a month of so many rows, with its raw file; held back if it has too few days."""
    path = write(folder, table(whole_month()[:rows]))
    made_of = Provenance("path", str(path), f"{rows:016}{'0' * 48}")
    storage.upload(path, raw(rows))
    return publish(storage, "green", "2024-01", opened(path), made_of, Limits()).manifest


def raw(rows: int) -> str:
    return f"raw/green/2024-01/{rows:016}.parquet"


@pytest.fixture
def months(storage: Storage, tmp_path: Path) -> list[str]:
    """Publish four versions and hold one back; return their names, the oldest first."""
    return [published(storage, tmp_path, rows)["version"] for rows in (59, 60, 61, 62, 9)]


def states(versions: list[Version]) -> dict[str, str]:
    return {version.name: version.state for version in versions}


def test_versions_are_listed_with_what_reads_them(storage: Storage, months: list[str]) -> None:
    storage.put("features/green/2024-01/20240101T000000.000000Z-0/features.parquet", b"half")
    prediction = {"features": {"version": months[1]}}
    storage.put("predictions/green/2024-01/current.json", json.dumps(prediction).encode())
    found = list_versions(storage, CABS)
    assert states(found) == {
        months[4]: "held",
        months[3]: "current",
        months[2]: "old",
        months[1]: "old",
        months[0]: "old",
        "20240101T000000.000000Z-0": "unfinished",
    }
    read = {version.name: version.named_in for version in found if version.named_in}
    assert read == {months[1]: ["predictions/green/2024-01/current.json"]}
    assert found[1].rows == 62
    assert found[1].bytes > 10_000


def test_old_versions_are_removed_with_their_raw_files(storage: Storage, months: list[str]) -> None:
    before = storage.keys("")
    would = prune(storage, 2, CABS, dry_run=True)
    assert storage.keys("") == before
    removed = prune(storage, 2, CABS, dry_run=False)
    assert removed == would
    assert [version.name for version in removed] == [months[2], months[1], months[0]]
    assert list(states(list_versions(storage, CABS))) == [months[4], months[3]]
    assert storage.keys("raw") == [raw(9), raw(62)]
    assert prune(storage, 1, CABS, dry_run=False) == []


def test_what_predictions_name_stays(storage: Storage, months: list[str]) -> None:
    storage.put("predictions/green/2024-01/current.json", json.dumps(months[0]).encode())
    removed = prune(storage, 1, CABS, dry_run=False)
    assert [version.name for version in removed] == [months[2], months[1]]


def test_none_cannot_be_kept(storage: Storage) -> None:
    with pytest.raises(BadInputError, match="keep is 0: it must be 1 or more"):
        prune(storage, 0, CABS, dry_run=True)


def test_the_commands_print_what_they_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "out"
    for bad in (1, 2):
        rows = whole_month(*[row(trip_distance=0.0, fare_amount=float(n)) for n in range(bad)])
        source = str(write(tmp_path, table(rows)))
        assert main(["--source", source, "--root", str(root)]) == 0
    capsys.readouterr()
    assert main(["list", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["current", "old"]
    assert all(len(line) <= 100 for line in lines)
    assert main(["prune", "--keep", "1", "--dry-run", "--root", str(root)]) == 0
    assert "1 versions, 0.0 MB would be removed" in capsys.readouterr().out
    assert main(["prune", "--keep", "1", "--root", str(root)]) == 0
    assert "1 versions, 0.0 MB removed" in capsys.readouterr().out
    assert main(["prune", "--keep", "1", "--root", str(root)]) == 0
    assert "0 versions" in capsys.readouterr().out
