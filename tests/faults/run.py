"""What may break, and when: runs the tests of table.txt, each so many times, and says which held.

    python tests/faults/run.py --times 20 [WORD ...]

WORD chooses the rows that have it. FAULT_SECONDS=300 keeps servers away for five minutes. A test
asserts how the run ends, that each side effect came once (or how often it may), and that no
process, pod, lock, folder or half-written dataset is left. CI runs each once, with all others.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_TABLE = Path(__file__).with_name("table.txt")
_DEADLINE = 1800  # seconds, for one run of one row


class Fault(NamedTuple):
    """A row: what breaks, when, and the test (file::name)."""

    what: str
    moment: str
    test: str


def read_table() -> list[Fault]:
    """Return the rows of table.txt."""
    lines = _TABLE.read_text().splitlines()
    return [Fault(*line.split(" | ")) for line in lines if not line.startswith("#")]


def main() -> int:
    """Return 0 only when each row held each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="how often each row runs")
    parser.add_argument("words", nargs="*", metavar="WORD", help="rows that have it")
    options = parser.parse_args()
    rows = [row for row in read_table() if all(word in " ".join(row) for word in options.words)]
    print(f"{'fault':38}{'moment':32}{'held':>8}{'skipped':>9}{'s each':>8}", flush=True)
    broken = 0
    for row in rows:
        began, ends = time.monotonic(), []
        for _ in range(options.times):
            ends.append(_run(row))
        held, skipped = ends.count("held"), ends.count("skipped")
        seconds = (time.monotonic() - began) / max(options.times, 1)
        count = f"{held}/{options.times - skipped}"
        print(f"{row.what:38}{row.moment:32}{count:>8}{skipped:>9}{seconds:>8.1f}", flush=True)
        broken += options.times - skipped - held
    return 1 if broken else 0


def _run(row: Fault) -> str:
    """Say held, skipped (what it needs is not here) or broken; the end of a broken one is shown."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", row.test],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=_DEADLINE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"{row.test}: not done within {_DEADLINE} s", file=sys.stderr)
        return "broken"
    if done.returncode == 0:
        return "held" if re.search(r"\d+ passed", done.stdout) else "skipped"
    print("\n".join(done.stdout.splitlines()[-30:]), file=sys.stderr)
    return "broken"


if __name__ == "__main__":
    sys.exit(main())
