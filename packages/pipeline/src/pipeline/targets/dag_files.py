"""When a DAG file came into its place, which may be a plain one or a bundle with versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedded.errors import StackError
from metaflow_airflow.bundle.manifest import BundleError
from metaflow_airflow.bundle.objects import FolderObjects, Objects, S3Objects
from metaflow_airflow.bundle.versions import Versions

from pipeline import s3


def written_in_folder(path: Path) -> float | None:
    """When a file's text was written last (Unix time); None when there is none."""
    name = _holder(FolderObjects(path.parent), path.name)
    found = path.parent / name if name else path
    return found.stat().st_mtime if found.exists() else None


def written_in_s3(client: Any, url: str, name: str) -> float | None:
    """When a file's text was written last, rounded up to S3's whole seconds; None: there is none.

    Raises ClientError or BotoCoreError when S3 refuses.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    holder = _holder(S3Objects(client, bucket, prefix), name)
    return s3.changed(client, bucket, f"{prefix}/{holder or name}".lstrip("/"))


def _holder(objects: Objects, name: str) -> str | None:
    versions = Versions(objects)
    try:
        return versions.holder(name) if versions.is_there() else None
    except BundleError as error:
        raise StackError(str(error)) from error
