"""What publishing a month of features costs, beside DuckDB, naive Polars, pandas and bare I/O.

    uv run --all-packages --with duckdb --with pandas benchmarks/features.py [rows [repeats]]

A made-up yellow month, its history from the month before; each contender in a process of its own,
in turn, with warm imports. All write the same rows: trips judged, refunds and copies taken out,
calendar, zones and history looked up. Ours also writes the quarantine, the next month's history,
checksums and manifest. Bare is reading the columns that are needed and writing the result.
CPU seconds of all threads, MiB at the peak, in a folder and in S3 (SeaweedFS).
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from features_contenders import CONTENDERS, IN_S3, WARM

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
CAB, BEFORE, MONTH = "yellow", "2024-01", "2024-02"


class _NoPandas(MetaPathFinder):
    """Keeps pyarrow from importing pandas only because it lies there for another contender."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("only the contender of that name has it", name=fullname)


def contend(name: str, root: str, side: str) -> None:
    """Run one contender in this process, and print what it cost."""
    if name != "pandas":
        sys.meta_path.insert(0, _NoPandas())
    for module in ("polars", "pyarrow.parquet", WARM.get(name, "polars")):
        importlib.import_module(module)
    logging.disable()
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    rows = CONTENDERS[name](root, Path(side))
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost = {"rows": rows, "cpu": cpu, "wall": seconds, "mib": _peak()}
    print("COST", json.dumps(cost))


def _peak() -> float:
    """Return the most memory that this process had; `ru_maxrss` begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def prepare(root: str, side: Path, rows: int) -> None:
    """Publish the month before, land the month, and write what the others look up."""
    import dataclasses

    from data_engineering import steps
    from data_engineering.sources.origin import Origin
    from data_engineering.storage.objects import Storage

    storage = Storage(root)
    before, landed = (
        steps.fetch(storage, Origin("generator", CAB, month, rows=rows, seed=1), [])
        for month in (BEFORE, MONTH)
    )
    steps.publish_month(storage, before)
    storage.put("bench/landed.json", json.dumps(dataclasses.asdict(landed)).encode())
    with storage.reading(landed.key) as file:
        storage.put("bench/raw.parquet", file.read())
    _look_ups(storage, side)


def _look_ups(storage: Any, side: Path) -> None:
    import holidays
    import polars as pl
    from data_engineering.publish.catalogue import earlier_months, key_of
    from data_engineering.publish.files import read_verified
    from data_engineering.trips.history import PairHistory
    from data_engineering.trips.zones import AIRPORTS, BOROUGH_OF

    facts = [each["files"]["pairs"] for each in earlier_months(storage, CAB, MONTH)]
    pairs = [read_verified(storage, key_of(storage, each["uri"]), each) for each in facts]
    history = PairHistory.of_months(pairs).table
    assert history is not None  # noqa: S101 - `prepare` published it
    history.write_parquet(side / "history.parquet")
    zones = {"zone": list(BOROUGH_OF), "borough": list(BOROUGH_OF.values()),
             "airport": [zone in AIRPORTS for zone in BOROUGH_OF]}  # fmt: skip
    pl.DataFrame(zones, schema_overrides={"zone": pl.Int16}).write_parquet(side / "zones.parquet")
    free = list(holidays.country_holidays("US", years=[2024]))
    day = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), eager=True).alias("day")
    day.to_frame().with_columns(pl.col("day").is_in(free).alias("holiday")).write_parquet(
        side / "days.parquet"
    )


def measure(name: str, root: str, side: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run one contender in a process of its own."""
    if name == "ours":  # the same input would be left as it is
        from data_engineering.publish.care import list_versions
        from data_engineering.storage.objects import Storage

        storage = Storage(root)
        for version in list_versions(storage, (CAB,)):
            if version.month == MONTH:
                storage.delete_all(f"features/{CAB}/{MONTH}")
    done = subprocess.run(
        [sys.executable, __file__, "--contend", name, root, str(side)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("COST ")]
    if not lines:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    cost: dict[str, float] = json.loads(lines[-1].removeprefix("COST "))
    return cost


def table(place: str, root: str, side: Path, repeats: int) -> None:
    """Measure each contender in turn, several times, and print the medians."""
    names = list(CONTENDERS) if place == "folder" else list(IN_S3)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            runs[name].append(measure(name, root, side, dict(os.environ)))
    cost = {
        name: {key: statistics.median(run[key] for run in each) for key in each[0]}
        for name, each in runs.items()
    }
    for key in ("cpu", "wall"):
        cost["bare"][key] -= cost["read_back"][key]
    print(f"\n| {place} | rows | CPU s | of bare | wall s | MiB |\n|---|---|---|---|---|---|")
    for name in sorted(set(names) - {"read_back"}, key=lambda name: cost[name]["cpu"]):
        of = cost[name]
        share = of["cpu"] / cost["bare"]["cpu"]
        print(f"| {name} | {of['rows']:,.0f} | {of['cpu']:.2f} | {share:.2f} | {of['wall']:.2f} "
              f"| {of['mib']:.0f} |")  # fmt: skip


def main(arguments: list[str]) -> None:
    """Print both tables."""
    if arguments[:1] == ["--contend"]:
        contend(*arguments[1:4])
        return
    rows, repeats = [int(each) for each in arguments] + [3_000_000, 3][len(arguments) :]
    sys.path.insert(0, str(SUPPORT))
    from s3_server import running_in

    with tempfile.TemporaryDirectory() as folder:
        side = Path(folder) / "side"
        (Path(folder) / "s3").mkdir()
        side.mkdir()
        prepare(f"{folder}/root", side, rows)
        table("folder", f"{folder}/root", side, repeats)
        with running_in(Path(folder) / "s3") as server:
            os.environ |= server.environment
            root = f"s3://{server.bucket}/bench"
            prepare(root, side, rows)
            table("S3", root, side, repeats)


if __name__ == "__main__":
    main(sys.argv[1:])
