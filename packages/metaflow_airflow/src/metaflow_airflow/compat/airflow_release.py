"""What differs between Airflow's releases, for the exporting side, which has no Airflow itself."""

from __future__ import annotations


def starts_in_triggerer(version: str) -> bool:
    """Whether the scheduler hands a task straight to the triggerer (`start_from_trigger`).

    3.1 and 3.2 take the words and ignore them: the code is commented out in their schedulers.

    Args:
        version: as Airflow's API says it, such as "3.1.8".
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= (3, 3)
