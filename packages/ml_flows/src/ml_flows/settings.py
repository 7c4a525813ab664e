"""What both flows share: where data lies, what a step may use. Imported on every start: keep it
free of imports that take time."""

from __future__ import annotations

import os

ROOT = os.environ.get("TRIP_DATA_ROOT", "s3://trip-data").rstrip("/")
FEATURES_ROOT = f"{ROOT}/features"
PREDICTIONS_ROOT = f"{ROOT}/predictions"

CORES = 1
"""Of each step. On a busy machine two OpenMP threads wait for each other: gradient boosting that
takes 3 s with one thread took 130 s with two (2 cores, load 17)."""

MEMORY = 1024
"""MB of each step; they use about 400."""

THREADS = {
    name: str(CORES)
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "POLARS_MAX_THREADS",
    )
}
"""Environment that keeps the libraries to CORES; read when they are imported."""
