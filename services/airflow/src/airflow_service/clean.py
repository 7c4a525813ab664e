"""Removes what an Airflow leaves for ever: old rows of its database, old logs, and what steps left.

    python -m airflow_service.clean --days 30 [--dry-run]

To be run in Airflow's own environment, where its database and its logs are: by `stack clean`, and
in the containers by the DAG platform_clean, once a day.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

_DAY = 24 * 3600.0
_DEADLINE = 3600.0  # seconds, for each of the parts
_TABLE = re.compile(r"Checking table (\S+)")
_ROWS = re.compile(r"Found (\d+) rows? meeting deletion criteria\.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Clean each part, though another one failed; the exit code says whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, required=True, help="how old what is removed is")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    options = parser.parse_args(arguments)
    dry = ["--dry-run"] if options.dry_run else []
    before = datetime.now(UTC) - timedelta(days=options.days)
    codes = [
        _run(
            "database",
            [sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive",
             "--error-on-cleanup-failure", "--clean-before-timestamp", before.isoformat(), *dry],
        ),
        _run("steps", [sys.executable, "-m", "metaflow_airflow.runtime.clean", *dry]),
    ]  # fmt: skip
    from airflow.configuration import conf

    logs = Path(conf.get("logging", "base_log_folder"))
    files, size = remove_old(logs, before.timestamp(), dry_run=options.dry_run)
    would = "would be removed" if options.dry_run else "removed"
    print(f"logs: {files} files, {size / 1e6:,.1f} MB in {logs} {would}")
    return max(codes)


def remove_old(folder: Path, before: float, *, dry_run: bool) -> tuple[int, int]:
    """Remove files that nobody has written since `before` (Unix time), and folders left empty.

    Returns how many files, and their bytes.
    """
    files = size = 0
    for path in _files(folder):
        try:
            found = path.lstat()
            if found.st_mtime >= before:
                continue
            if not dry_run:
                path.unlink()
        except FileNotFoundError:
            continue  # Airflow moved or removed it meanwhile
        files, size = files + 1, size + found.st_size
    if not dry_run:
        _remove_empty(folder)
    return files, size


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def _remove_empty(folder: Path) -> None:
    """Remove empty folders that are an hour old: a younger one is about to get a log."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink() and path.is_dir() and time.time() - path.stat().st_mtime > 3600:
            try:
                path.rmdir()
            except OSError:
                continue  # not empty


def _run(part: str, command: Sequence[str]) -> int:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_DEADLINE
        )
    except subprocess.TimeoutExpired:
        print(f"{part}: was not done within {_DEADLINE:.0f} s")
        return 1
    if done.returncode != 0:
        said = (done.stderr or done.stdout).splitlines()[-20:]
    else:
        said = short(done.stdout.splitlines())
    for line in said:
        print(f"{part}: {line}")
    return done.returncode


def short(lines: Sequence[str]) -> list[str]:
    """Return what `airflow db clean` said of tables that have old rows; other lines as they are."""
    if not any(_TABLE.fullmatch(line) for line in lines):
        return list(lines)
    found, table = [], ""
    for line in lines:
        if named := _TABLE.fullmatch(line):
            table = named[1]
        elif (rows := _ROWS.fullmatch(line)) and rows[1] != "0":
            found.append(f"{rows[1]} old rows in {table}")
    return found or ["no table has old rows"]


if __name__ == "__main__":
    sys.exit(main())
