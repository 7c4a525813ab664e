"""Whether Airflow's workers can see the flow's datastore, as far as the export can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import s3_place as s3

_REMOTE = ("s3", "azure", "gs")
_LOCAL_ROOT = "METAFLOW_DATASTORE_SYSROOT_LOCAL"


def check_datastore(datastore: Any) -> None:
    """Refuse a datastore that only this machine has, has no place or cannot be reached.

    Args:
        datastore: the flow's, as Metaflow has opened it.

    Raises:
        BridgeError: naming the datastore and what to set.
    """
    kind, root = datastore.TYPE, datastore.datastore_root
    if kind == "local":
        _check_folder(root)
    elif kind not in _REMOTE:
        raise BridgeError(
            f"Datastore *{kind}* is not known to Airflow's workers. Export with "
            f"--datastore={'|'.join(_REMOTE)} (and its METAFLOW_DATASTORE_SYSROOT), or local in a "
            "folder that they share."
        )
    elif not root:
        raise BridgeError(
            f"Datastore *{kind}* has no place: set METAFLOW_DATASTORE_SYSROOT_"
            f"{kind.upper()} (such as s3://bucket/metaflow), or give --datastore-root."
        )
    elif kind == "s3":
        s3.check(root, "The datastore")


def _check_folder(root: str) -> None:
    """A folder counts as shared when whoever exports has named it, and not by a relative path."""
    from metaflow.metaflow_config import DATASTORE_LOCAL_DIR, DATASTORE_SYSROOT_LOCAL

    named = DATASTORE_SYSROOT_LOCAL
    if not named or not Path(named).is_absolute() or Path(root) != Path(named, DATASTORE_LOCAL_DIR):
        raise BridgeError(
            f"Datastore *local* is in {root}, which Airflow's workers do not look into. Set "
            f"{_LOCAL_ROOT} to an absolute folder that this machine and all workers share under "
            f"one path, without --datastore-root; or export with --datastore={'|'.join(_REMOTE)} "
            "(and its METAFLOW_DATASTORE_SYSROOT)."
        )
