"""With which exit codes a launcher says that it could not run its step."""

from __future__ import annotations

BUSY = 75
"""Another launcher still runs the same task."""

UNAVAILABLE = 69
"""Datastore or code package out of reach; worth a retry."""

MISCONFIGURED = 78
"""A retry would fail alike."""

BROKEN = 70
"""The launcher itself failed."""

NO_RETRY = (202, MISCONFIGURED)
"""Another attempt would end the same way; 202 is Metaflow's own code for that."""
