import os
import time
from pathlib import Path

import pytest
from airflow_service.clean import main, remove_old

DAY = 24 * 3600


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for age, name in ((40, "dag_id=a/run_id=1/attempt=1.log"), (1, "dag_id=a/run_id=2/a.log")):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("12345")
        then = time.time() - age * DAY
        os.utime(path, (then, then))
    (tmp_path / "latest").symlink_to(tmp_path / "dag_id=a")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.log")}


def test_old_logs_go_and_the_folders_that_they_leave(logs: Path) -> None:
    before = time.time() - 30 * DAY

    assert remove_old(logs, before, dry_run=True) == (1, 5)
    assert len(names(logs)) == 2
    assert remove_old(logs, before, dry_run=False) == (1, 5)

    assert names(logs) == {"dag_id=a/run_id=2/a.log"}
    assert (logs / "dag_id=a/run_id=1").exists()  # young: its next log may be about to come
    for folder in logs.rglob("*"):
        os.utime(folder, (before, before), follow_symlinks=False)
    assert remove_old(logs, 0, dry_run=False) == (0, 0)
    assert not (logs / "dag_id=a/run_id=1").exists()


def test_one_part_that_fails_does_not_keep_the_others_from_being_cleaned(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://127.0.0.1:9/none")
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(logs))
    monkeypatch.setenv("METAFLOW_AIRFLOW_TMPDIR", str(logs))

    assert main(["--days=30"]) != 0

    said = capsys.readouterr().out
    assert "database: " in said
    assert "steps: 0 folders of killed steps and 0 unpacked packages removed" in said
    assert "logs: 1 files" in said
