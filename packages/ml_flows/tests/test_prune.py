"""Old versions of predictions go, and none that somebody reads."""

import json
import os
import time

import pytest
from ml_flows import prune

NAMES = [f"2026010{day}T000000000000Z-0000000{day}" for day in range(1, 6)]


def put(folder, name, hours=2):
    path = folder / name / "predictions.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return str(path)


@pytest.fixture
def month(tmp_path):
    """Five versions of a month, of which readers are told the second."""
    folder = tmp_path / "green" / "2024-01"
    for name in NAMES:
        put(folder, name)
    (folder / "current.json").write_text(json.dumps({"version": NAMES[1]}))
    return folder


def left(month):
    return sorted(path.parent.name for path in month.glob("*/predictions.parquet"))


def test_the_newest_and_the_current_version_of_each_month_stay(tmp_path, month):
    other = tmp_path / "branches" / "user.ann" / "green" / "2024-01"
    put(other, NAMES[0])

    would = prune.prune(str(tmp_path), 2, dry_run=True)
    assert left(month) == NAMES

    assert prune.prune(str(tmp_path), 2) == would
    assert left(month) == [NAMES[1], NAMES[3], NAMES[4]]
    assert left(other) == [NAMES[0]]


def test_a_version_that_is_just_being_published_stays(tmp_path, month):
    young = put(month, "20260101T000000000001Z-00000009", hours=0)

    assert young not in prune.prune(str(tmp_path), 1)


def test_what_is_no_version_is_nobodys_to_remove(tmp_path, month):
    (month / "notes").mkdir()
    (month / "notes" / "predictions.parquet").touch()

    prune.prune(str(tmp_path), 1)

    assert (month / "notes" / "predictions.parquet").exists()


def test_the_command_says_what_went(monkeypatch, tmp_path, month, capsys):
    monkeypatch.setattr(prune, "PREDICTIONS_ROOT", str(tmp_path))
    monkeypatch.setattr(prune, "ROOT", str(tmp_path / "none"))

    assert prune.main(["--keep=1", "--dry-run"]) == 0
    assert "3 versions would be removed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        prune.main(["--keep=0"])
