"""What a worker, the launcher that it starts and the step agree on."""

from __future__ import annotations

TOKEN_VARIABLE = "METAFLOW_AIRFLOW_PROCESS_TOKEN"  # noqa: S105 - a mark, no secret
"""Every process of a step carries it, so that those are found that left the step's group."""

DATASETS_VARIABLE = "METAFLOW_AIRFLOW_DATASETS"
"""The file in which a step leaves for its launcher which datasets it has named (JSON)."""

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL for the step's processes."""

UPLOAD_GRACE = 20.0
"""Seconds that a launcher gets, after its step has ended, to bring the logs home."""
