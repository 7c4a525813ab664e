"""Our figures of drift beside evidently's, on two real months; it fails where they should agree.

    uv run --all-packages --with evidently --with "pandas<3" benchmarks/drift.py FOLDER

FOLDER holds TLC's files of both months, green 2023-12 and 2024-01 unless asked for others.
Jensen-Shannon and Wasserstein must be the same. PSI must not: evidently puts an invented, tiny
share in the place of an empty bin, so that a value that one month lacks costs the more the tinier
the invention is, and it takes no chance off.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import polars as pl
from two_months import asked_for, features_of

NAMES = ("pickup_zone", "dropoff_zone", "zone_pair", "hour", "weekday", "duration_minutes")


def values(trips: pl.DataFrame, name: str) -> pl.Series:
    """Return a feature as the drift's figures see it."""
    return trips[name].floor() if name == "duration_minutes" else trips[name]


def compare(before: pl.DataFrame, now: pl.DataFrame) -> list[str]:
    """Print a line a feature; return where the two disagree though they should not."""
    core: Any = importlib.import_module("evidently.legacy.core")
    tests: Any = importlib.import_module("evidently.legacy.calculations.stattests")
    from ml_flows import drift

    ours = drift.data_drift(drift.describe(before), drift.describe(now))
    print("| | PSI | by chance | level | evidently's PSI | distance | evidently's |")
    print("|---|---|---|---|---|---|---|")
    wrong = []
    for name in NAMES:
        old, new = (values(each, name).cast(pl.Float64).to_pandas() for each in (before, now))
        figure = ours[name]
        psi, _ = tests.psi_stat_test.func(old, new, core.ColumnType.Categorical, 0.1)
        if "wasserstein" in figure:
            kind, mine = "Wasserstein", figure["wasserstein"]
            theirs, _ = tests.wasserstein_stat_test.func(old, new, core.ColumnType.Numerical, 0.1)
            theirs *= max(float(np.std(old)), 0.001)
        else:
            kind, mine = "Jensen-Shannon", figure["jensen_shannon"]
            theirs, _ = tests.jensenshannon_stat_test.func(
                old, new, core.ColumnType.Categorical, 0.1
            )
            theirs /= np.sqrt(np.log(2))  # theirs is in nats
        if not np.isclose(mine, theirs, rtol=1e-6):
            wrong.append(f"{kind} of {name}: {mine} here, {theirs} by evidently")
        print(
            f"| {name} | {figure['psi']:.3f} | {figure['psi_noise']:.3f} | {figure['level']} "
            f"| {psi:.3f} | {kind} {mine:.3f} | {theirs:.3f} |"
        )
    return wrong


def main() -> int:
    """Compare two months."""
    given = asked_for(__doc__)
    before, now = features_of(given)
    print(f"{given.cab} {', '.join(given.months)}: {before.height:,} and {now.height:,} trips\n")
    wrong = compare(before, now)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
