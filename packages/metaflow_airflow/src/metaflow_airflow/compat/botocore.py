"""What the bridge relies on in botocore beyond its documentation. Read in 1.44."""

from __future__ import annotations

import functools


def share_service_models() -> None:
    """Make all sessions of this process, and of its forks, read the services' descriptions once.

    Each session parses megabytes of JSON of its own, a sixth of a second of CPU; a step has one for
    its code package, one for its logs and one for its artifacts, and Metaflow makes them. Relies on
    `botocore.session.create_loader`, which a session calls by that name: the loader only reads and
    remembers, and where `data_path` says is part of what it is known by.
    """
    try:
        from botocore import session
    except ImportError:
        return  # who needs it says so
    if not hasattr(session.create_loader, "cache_info"):
        session.create_loader = functools.cache(session.create_loader)
