"""Publishes a package as an S3 DAG bundle: what changed is uploaded, what is gone is deleted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from embedded.errors import StackError

# Airflow looks for DAGs below `dags` alone; the rest is there to be imported.
_IGNORE = "*/*.py\n"


def publish(package: Path, url: str, client: Any) -> int:
    """Make the bundle at `url` (s3://bucket/prefix) hold the package; count what changed.

    Raises StackError when S3 refuses.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    wanted = {f"{prefix}/.airflowignore": _IGNORE.encode()}
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            wanted[f"{prefix}/{path.relative_to(package.parent)}"] = path.read_bytes()
    try:
        there = _etags(client, bucket, prefix)
        changed = {key: text for key, text in wanted.items() if there.get(key) != _etag(text)}
        # What the DAG file imports is there before it.
        for key in sorted(changed, key=lambda key: "/dags/" in key):
            client.put_object(Bucket=bucket, Key=key, Body=changed[key])
        for key in there.keys() - wanted.keys():
            client.delete_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"the DAG bundle {url} cannot be written: {error}") from error
    return len(changed)


def _etags(client: Any, bucket: str, prefix: str) -> dict[str, str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return {
        each["Key"]: each["ETag"]
        for page in pages
        for each in page.get("Contents", ())
        if each["Key"] != f"{prefix}/.bundle"  # made with the bucket, so that the prefix exists
    }


def _etag(content: bytes) -> str:
    """Return the ETag that S3 gives an object put at once: its MD5."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
