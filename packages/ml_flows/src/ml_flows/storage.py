"""Objects in and out of S3, or of a folder, with errors that name server and object.

obstore does the work: it reads the AWS_* environment, retries, and streams.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ml_flows.errors import InputError, StorageUnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_NO_BUCKET = "NoSuchBucket"
_REFUSED = (
    "AccessDenied",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
)


class NoObjectError(InputError):
    """There is a bucket but no such object in it."""


class Fetched(NamedTuple):
    """A file that was brought here: where it lies, bytes, hexadecimal SHA-256."""

    path: Path
    size: int
    sha256: str


def read_json(uri: str) -> Any:
    """The object's JSON.

    Raises:
        NoObjectError: no such object. InputError: no bucket, no access, no JSON.
        StorageUnavailableError: the server does not answer.
    """
    store, key = _opened(uri)
    with _explained(uri):
        body = bytes(store.get(key).bytes())
    try:
        return json.loads(body)
    except ValueError as error:
        raise InputError(f"{uri} is not JSON ({error}).") from error


def write_json(uri: str, value: Any) -> None:
    """Put the value as JSON, in one request: readers see the old object or the new one."""
    store, key = _opened(uri)
    with _explained(uri):
        store.put(key, json.dumps(value, indent=1).encode())


def fetch(uri: str, path: Path) -> Fetched:
    """Bring an object into a local file, a piece at a time; its hash is taken on the way.

    Raises:
        as read_json().
    """
    store, key = _opened(uri)
    digest, size = hashlib.sha256(), 0
    with _explained(uri), path.open("wb") as target:
        for piece in store.get(key):
            target.write(piece)
            digest.update(piece)
            size += len(piece)
    return Fetched(path, size, digest.hexdigest())


def write_file(uri: str, path: Path) -> None:
    """Upload a file in parts; nobody sees the object before it is complete."""
    store, key = _opened(uri)
    with _explained(uri):
        store.put(key, path)


def listed(uri: str) -> Iterator[tuple[str, datetime]]:
    """URI of each object below a place, and when it was written.

    Raises:
        as write_json().
    """
    store, key = _opened(uri)
    base = uri.rstrip("/").removesuffix(key)
    with _explained(uri):
        for batch in store.list(key or None):
            for each in batch:
                yield f"{base}{each['path']}", each["last_modified"]


def remove(uri: str) -> None:
    """Remove an object; one that is gone is no error.

    Raises:
        as write_json().
    """
    store, key = _opened(uri)
    with _explained(uri), suppress(FileNotFoundError):
        store.delete(key)


def require_place(uri: str, endpoint: str | None = None) -> None:
    """Raise what is wrong with a bucket or prefix unless it can be listed.

    Args:
        endpoint: the S3 server; without it by the environment.
    """
    store, key = _opened(uri, endpoint)
    with _explained(uri, endpoint):
        next(iter(store.list(key or None, chunk_size=1)), None)


def _opened(uri: str, endpoint: str | None = None) -> tuple[ObjectStore, str]:
    """The store of a URI's bucket (or of all local files), and the key in it.

    Raises:
        InputError: no such URI.
    """
    scheme, _, rest = (f"file://{uri}" if uri.startswith("/") else uri).partition("://")
    root, _, key = rest.partition("/")
    if scheme not in ("s3", "file") or (scheme == "s3") != bool(root):
        raise InputError(
            f"{uri!r} is no place for data. Write s3://<bucket>/<prefix>, or a folder."
        )
    return _store(f"{scheme}://{root}", endpoint or _endpoint()), key.strip("/")


@cache
def _store(root: str, endpoint: str | None) -> ObjectStore:
    from obstore.store import LocalStore, S3Store

    if root == "file://":
        return LocalStore("/", mkdir=True)
    server: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        root.removeprefix("s3://"),
        **server,
        client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "60s"},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
    )


def _endpoint() -> str | None:
    """The S3 server that the environment names, as boto3 and Metaflow read it; None: AWS's own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "METAFLOW_S3_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


@contextmanager
def _explained(uri: str, endpoint: str | None = None) -> Iterator[None]:
    """Turn obstore's errors into ours.

    Raises:
        InputError: bucket, key or access is wrong. StorageUnavailableError: no answer.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        server = endpoint or _endpoint() or "AWS"
        raise _explanation(uri, server, str(error)) from error


def _explanation(uri: str, server: str, error: str) -> Exception:
    bucket = uri.partition("://")[2].partition("/")[0]
    found = re.search(r"<Code>(\w+)</Code>", error)
    code = found[1] if found else ""
    said = error.partition("\n")[0]
    if code == _NO_BUCKET:
        return InputError(
            f"There is no bucket {bucket!r} on {server} ({uri}). Create it or correct the URI."
        )
    if "not found:" in said:
        return NoObjectError(f"There is no object {uri} on {server}.")
    if code in _REFUSED or ("403 Forbidden" in said and "169.254" not in said):
        return InputError(
            f"{server} refuses these credentials for bucket {bucket!r} ({uri}): "
            f"{code or 'Forbidden'}. "
            "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and what they may do."
        )
    if not os.environ.get("AWS_ACCESS_KEY_ID") and "169.254" in said:
        # Without keys obstore asks the address where a machine of AWS's finds its own.
        return InputError(
            f"No S3 credentials to reach bucket {bucket!r} ({uri}). "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return StorageUnavailableError(
        f"The S3 server {server} does not answer for {uri}: {said}. "
        "Is it up, and is AWS_ENDPOINT_URL right?"
    )
