"""S3: objects in and out, with errors that name server, bucket and key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ml_flows.errors import InputError, StorageUnavailableError

_NO_KEY = ("NoSuchKey", "404", "NotFound")
_REFUSED = (
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
)


class NoObjectError(InputError):
    """There is a bucket but no such object in it."""


@cache
def client(endpoint: str | None = None) -> Any:
    """The S3 client of this process.

    Args:
        endpoint: the server; without it by the AWS_* and METAFLOW_S3_* environment.
    """
    import boto3
    from botocore.config import Config

    # A session of its own: the default one keeps the credentials of whoever asked first.
    return boto3.Session().client(
        "s3",
        endpoint_url=endpoint
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or os.environ.get("METAFLOW_S3_ENDPOINT_URL"),
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 4},
        ),
    )


def split_uri(uri: str) -> tuple[str, str]:
    """s3://bucket/a/key -> ("bucket", "a/key").

    Raises:
        InputError: not such a URI.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise InputError(f"{uri!r} is no S3 URI. Write s3://<bucket>/<prefix>.")
    return bucket, key.strip("/")


def read_json(uri: str) -> Any:
    """The object's JSON.

    Raises:
        NoObjectError: no such object. InputError: no bucket, no access, no JSON.
        StorageUnavailableError: the server does not answer.
    """
    bucket, key = split_uri(uri)
    with explained(uri):
        body = client().get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return json.loads(body)
    except ValueError as error:
        raise InputError(f"{uri} is not JSON ({error}).") from error


def write_json(uri: str, value: Any) -> None:
    """Put the value as JSON, in one request: readers see the old object or the new one."""
    bucket, key = split_uri(uri)
    body = json.dumps(value, indent=1, sort_keys=False).encode()
    with explained(uri):
        client().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def write_file(uri: str, path: Path) -> None:
    """Upload a file; nobody sees the object before it is complete."""
    bucket, key = split_uri(uri)
    with explained(uri):
        client().upload_file(str(path), bucket, key)


def require_object(uri: str) -> None:
    """Raise NoObjectError (or what explained() raises) unless the object is there."""
    bucket, key = split_uri(uri)
    with explained(uri):
        client().head_object(Bucket=bucket, Key=key)


def require_bucket(uri: str, endpoint: str | None = None) -> None:
    """Raise what explained() raises unless the bucket can be listed."""
    bucket, key = split_uri(uri)
    with explained(uri, endpoint):
        client(endpoint).list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)


def polars_options() -> dict[str, str]:
    """Polars' storage options: the same server that client() uses."""
    endpoint = str(client().meta.endpoint_url)
    if "amazonaws.com" in endpoint:
        return {}
    return {
        "aws_endpoint_url": endpoint,
        "aws_region": str(client().meta.region_name or "us-east-1"),
        "aws_allow_http": str(endpoint.startswith("http://")).lower(),
    }


@contextmanager
def explained(uri: str, endpoint: str | None = None) -> Iterator[None]:
    """Turn boto's errors into ours.

    Raises:
        InputError: bucket, key or access is wrong. StorageUnavailableError: no answer.
    """
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions as boto

    bucket, _ = split_uri(uri)
    server = str(client(endpoint).meta.endpoint_url)
    try:
        yield
    except boto.ClientError as error:
        raise _explain(uri, server, str(error.response["Error"]["Code"]), error) from error
    except S3UploadFailedError as error:
        cause = error.__context__
        code = str(cause.response["Error"]["Code"]) if isinstance(cause, boto.ClientError) else ""
        raise _explain(uri, server, code, error) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise InputError(
            f"No S3 credentials to reach bucket {bucket!r} ({uri}). "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise StorageUnavailableError(
            f"The S3 server {server} does not answer for {uri}: {error}. "
            "Is it up, and is AWS_ENDPOINT_URL right?"
        ) from error
    except boto.BotoCoreError as error:
        raise InputError(f"{uri} cannot be reached: {error}") from error


def _explain(uri: str, server: str, code: str, error: Exception) -> Exception:
    bucket, _ = split_uri(uri)
    if code == "NoSuchBucket":
        return InputError(
            f"There is no bucket {bucket!r} on {server} ({uri}). Create it or correct the URI."
        )
    if code in _NO_KEY:
        return NoObjectError(f"There is no object {uri} on {server}.")
    if code in _REFUSED:
        return InputError(
            f"{server} refuses these credentials for bucket {bucket!r} ({uri}): {code}. "
            "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and what they may do."
        )
    return StorageUnavailableError(f"{server} failed for {uri}: {error}")


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
        require_bucket(root, metaflow_config.S3_ENDPOINT_URL)
    except (InputError, StorageUnavailableError) as error:
        raise SystemExit(f"Metaflow's datastore: {error}") from error


def _option(arguments: Sequence[str], name: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.removeprefix(f"{name}=")
    return None
