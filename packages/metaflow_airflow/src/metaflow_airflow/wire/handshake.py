"""What a worker and the launcher that it starts agree on."""

from __future__ import annotations

TOKEN_VARIABLE = "METAFLOW_AIRFLOW_PROCESS_TOKEN"  # noqa: S105 - a mark, no secret
"""Every process of a step carries it, so that those are found that left the step's group."""

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL for the step's processes."""

UPLOAD_GRACE = 20.0
"""Seconds that a launcher gets, after its step has ended, to bring the logs home."""
