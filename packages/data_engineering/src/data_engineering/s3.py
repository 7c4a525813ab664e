"""The S3 client, and what its errors mean in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from data_engineering.errors import BadInputError, DataError, UnavailableError

_REFUSED = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken",
     "InvalidToken", "Forbidden", "403"}
)  # fmt: skip
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
)


def connect() -> tuple[boto3.Session, Any]:
    """Return a session and a client of the S3 server that the AWS_* environment names."""
    try:
        session = boto3.Session()
        return session, session.client("s3", config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise BadInputError(f"the AWS_* environment names no S3 server: {error}") from error


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key; the key may be empty.

    Raises:
        BadInputError: not an S3 URI, or one without a bucket.
    """
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise BadInputError(f"{uri!r} is no S3 location: it must read s3://bucket/prefix")
    return parts.netloc, parts.path.strip("/")


@contextmanager
def explained(s3: Any, bucket: str, doing: str) -> Iterator[None]:
    """Turn what boto3 raises inside the block into our errors, which name server and bucket.

    `doing` says what was tried, like "reading s3://trip-data/a.parquet".
    """
    server = s3.meta.endpoint_url
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise BadInputError(
            f"{doing}: no credentials for the S3 server {server}: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        ) from error
    except ParamValidationError as error:
        raise BadInputError(f"{doing}: {' '.join(str(error).split())}") from error
    except (HTTPClientError, EndpointConnectionError) as error:
        raise UnavailableError(f"{doing}: the S3 server {server} does not answer: {error}") from (
            error
        )
    except ClientError as error:
        raise _meaning(error, server, bucket, doing) from error
    except Boto3Error as error:
        # What transfers of files in parts raise, around the server's answer or without one.
        if isinstance(error.__context__, ClientError):
            raise _meaning(error.__context__, server, bucket, doing) from error
        raise UnavailableError(f"{doing}: the S3 server {server} broke off: {error}") from error
    except BotoCoreError as error:
        raise DataError(f"{doing}: {error}") from error


def is_missing_object(error: ClientError) -> bool:
    """Tell whether a server answered that there is no such object."""
    return error.response["Error"]["Code"] in {"NoSuchKey", "404", "NotFound"}


def _meaning(error: ClientError, server: str, bucket: str, doing: str) -> DataError:
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "NoSuchBucket":
        return BadInputError(
            f"{doing}: there is no bucket {bucket} at {server}: create it or name another"
        )
    if code in _REFUSED:
        return BadInputError(
            f"{doing}: the S3 server {server} refused the credentials for bucket {bucket} "
            f"({code}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if is_missing_object(error):
        return BadInputError(f"{doing}: there is no such object at {server}")
    if status >= 500 or code in {"SlowDown", "RequestTimeout"}:
        return UnavailableError(f"{doing}: the S3 server {server} answered {status} {code}")
    return DataError(f"{doing}: the S3 server {server} answered {status} {code}: {error}")
