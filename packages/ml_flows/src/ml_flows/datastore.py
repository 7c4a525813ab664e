"""Metaflow's own datastore, looked at before a run."""

from __future__ import annotations

from collections.abc import Sequence

from ml_flows import storage
from ml_flows.errors import InputError, StorageUnavailableError


def check_datastore(arguments: Sequence[str]) -> None:
    """Before `flow.py run` or `resume`: end with a message if Metaflow's own bucket is missing.

    Without it Metaflow retries silently for minutes.

    Args:
        arguments: of the flow's command line, without the program.
    """
    if not {"run", "resume"} & set(arguments):
        return
    from metaflow import metaflow_config

    datastore = _option(arguments, "--datastore") or metaflow_config.DEFAULT_DATASTORE
    root = _option(arguments, "--datastore-root") or metaflow_config.DATASTORE_SYSROOT_S3
    if datastore != "s3":
        return
    if not root:
        raise SystemExit("Metaflow's S3 datastore has no place: set METAFLOW_DATASTORE_SYSROOT_S3.")
    try:
        storage.require_place(root, metaflow_config.S3_ENDPOINT_URL)
    except (InputError, StorageUnavailableError) as error:
        raise SystemExit(f"Metaflow's datastore: {error}") from error


def _option(arguments: Sequence[str], name: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.removeprefix(f"{name}=")
    return None
