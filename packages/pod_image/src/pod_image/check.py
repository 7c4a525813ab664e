"""What a step will need, tried out where the step will run."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from urllib.parse import urlsplit

_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was tried."""

    what: str
    ok: bool
    says: str = ""

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'FAILED'} {self.what}" + (self.says and f": {self.says}")


def check() -> list[Finding]:
    """Import what flows import, write to S3's bucket, ask the metadata service for its version.

    S3 and the service are tried where METAFLOW_DATASTORE_SYSROOT_S3 and METAFLOW_SERVICE_URL say
    where they are.
    """
    found = [_imported(module) for module in _modules()]
    if root := os.environ.get("METAFLOW_DATASTORE_SYSROOT_S3"):
        found.append(_s3(root))
    if url := os.environ.get("METAFLOW_SERVICE_URL"):
        found.append(_service(url))
    return found


def _modules() -> Iterator[str]:
    """The modules of all that is installed; the image holds nothing that steps do not need."""
    for module in sorted(packages_distributions()):
        if module.isidentifier() and not module.startswith("_"):
            yield module


def _imported(module: str) -> Finding:
    try:
        found = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever it raises, a step would meet it too
        return Finding(f"import {module}", False, f"{type(error).__name__}: {error}")
    return Finding(f"import {module}", True, str(getattr(found, "__version__", "")))


def _s3(root: str) -> Finding:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    parts = urlsplit(root)
    key = "/".join(filter(None, (parts.path.strip("/"), ".pod-image-check")))
    endpoint = os.environ.get("METAFLOW_S3_ENDPOINT_URL") or None
    try:
        client = boto3.Session().client(
            "s3",
            endpoint_url=endpoint,
            config=Config(connect_timeout=_ANSWER_SECONDS, retries={"total_max_attempts": 2}),
        )
        client.put_object(Bucket=parts.netloc, Key=key, Body=b"")
        client.delete_object(Bucket=parts.netloc, Key=key)
    except (BotoCoreError, ClientError) as error:
        return Finding(f"write to {root}", False, str(error))
    return Finding(f"write to {root}", True, endpoint or "")


def _service(url: str) -> Finding:
    import requests

    try:
        answer = requests.get(f"{url.rstrip('/')}/ping", timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        return Finding(f"metadata service {url}", False, str(error))
    version = answer.headers.get("METADATA_SERVICE_VERSION", "answers")
    return Finding(f"metadata service {url}", True, version)
