"""Which Airflow installation this is, and what it allows."""

from __future__ import annotations

from airflow.configuration import conf

from metaflow_airflow.pods import names


def this_site() -> str:
    """A label's value that its components share and no other installation has."""
    return names.site(conf.get("core", "fernet_key"), conf.get("api", "base_url", fallback=""))


def most_items() -> int:
    """How long a list may be that Airflow maps over."""
    return conf.getint("core", "max_map_length", fallback=1024)
