"""With which exit codes a launcher says why there is no result of its step."""

from __future__ import annotations

BUSY = 75
"""Another launcher still runs the same task."""

UNAVAILABLE = 69
"""Datastore or code package out of reach; worth a retry."""

MISCONFIGURED = 78
"""A retry would fail alike."""

BROKEN = 70
"""The launcher itself failed."""

DISALLOW_RETRY = 202
"""Metaflow's own, METAFLOW_EXIT_DISALLOW_RETRY."""

NO_RETRY = (DISALLOW_RETRY, MISCONFIGURED)
"""Another attempt would end the same way."""
