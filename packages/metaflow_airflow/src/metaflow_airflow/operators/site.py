"""Which Airflow installation this is, and what it allows."""

from __future__ import annotations

import functools

from airflow.configuration import conf
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError

from metaflow_airflow.pods import names
from metaflow_airflow.pods.cluster_errors import ConnectError


@functools.cache
def this_site() -> str:
    """A label's value that this installation's triggerers share and no other installation has.

    Airflow's own database keeps it, as a variable: no change of keys or addresses changes it.

    Raises:
        ConnectError: Airflow does not give, or take, the variable.
    """
    try:
        known = Variable.get(names.SITE_VARIABLE, default=None)
        if known:
            return names.site_label(known)
        # Of two triggerers that come here at once both make the same.
        made = names.site(conf.get("core", "fernet_key"), conf.get("api", "base_url", fallback=""))
        Variable.set(names.SITE_VARIABLE, made, "By which the pods of this Airflow are known.")
    except AirflowRuntimeError as error:
        raise ConnectError(
            f"Airflow's variable {names.SITE_VARIABLE}, by which its pods are known: {error}"
        ) from error
    return made


def most_items() -> int:
    """How long a list may be that Airflow maps over."""
    return conf.getint("core", "max_map_length", fallback=1024)
