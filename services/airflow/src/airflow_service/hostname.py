"""The name that Airflow's processes call their machine by when all of them share one."""


def localhost() -> str:
    """Return "localhost": resolved without DNS, and never an address of the outside."""
    return "localhost"
