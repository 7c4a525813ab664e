import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from airflow_service.clean import remove_old, short

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


def test_one_part_that_fails_does_not_keep_the_others_from_being_cleaned(logs: Path) -> None:
    given = {
        "AIRFLOW_HOME": str(logs),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://127.0.0.1:9/none",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs),
        "METAFLOW_AIRFLOW_TMPDIR": str(logs),
    }

    done = subprocess.run(
        [sys.executable, "-m", "airflow_service.clean", "--days=30"], env={**os.environ, **given},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert re.search(r"database: .*Connection refused", done.stdout)
    assert "steps: 0 folders of killed steps and 0 unpacked packages removed" in done.stdout
    assert "logs: 1 files" in done.stdout


def test_of_the_tables_those_with_old_rows_are_named() -> None:
    said = ["Performing dry run for table xcom", "Checking table xcom",
            "Found 12 rows meeting deletion criteria.", "", "Checking table job",
            "Found 0 rows meeting deletion criteria."]  # fmt: skip

    assert short(said) == ["12 old rows in xcom"]
    assert short(said[4:]) == ["no table has old rows"]
    assert short(["0 folders removed"]) == ["0 folders removed"]
