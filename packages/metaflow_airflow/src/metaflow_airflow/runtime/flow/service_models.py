"""Keeps a step from reading the AWS services' descriptions once for each S3 client.

Each session of botocore parses its own megabytes of JSON, a sixth of a second of CPU; a step has a
session for its code package, one for its logs and one for its artifacts, and Metaflow makes them.
"""

from __future__ import annotations

import functools


def share_service_models() -> None:
    """Make all sessions of this process, and of its forks, read the same data once.

    A loader only reads and remembers; where `data_path` says is part of what it is known by.
    """
    try:
        from botocore import session
    except ImportError:
        return  # who needs it says so
    if not hasattr(session.create_loader, "cache_info"):
        session.create_loader = functools.cache(session.create_loader)
