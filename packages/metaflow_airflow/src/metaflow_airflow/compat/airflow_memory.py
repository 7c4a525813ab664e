"""What a try of a task leaves the next one, where Airflow can: since 3.3, and on a worker only.

Read in 3.3.2; a triggerer has no such store, and an XCom there stays until the next try.
"""

from __future__ import annotations

from typing import Any

__all__ = ["recall", "remember", "remembers"]


def remembers() -> bool:
    """Whether a task can leave its next try something: XComs are gone by then.

    The store for it came with Airflow 3.3, as did this name.
    """
    import airflow.sdk

    return "NEVER_EXPIRE" in airflow.sdk.__all__


def remember(context: Any, key: str, value: Any) -> None:
    """Leave the next try of this task instance a value, on a worker whose Airflow remembers."""
    if remembers():
        context["task_state_store"].set(key, value)


def recall(context: Any, key: str, default: Any) -> Any:
    """What a try before left under a key, on a worker; None where Airflow does not remember."""
    return context["task_state_store"].get(key, default) if remembers() else None
