"""The pipeline's client of a target's object store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(environment: Mapping[str, str]) -> Any:
    """Return a boto3 S3 client with the AWS_* settings of `environment`."""
    return boto3.Session().client(
        "s3",
        endpoint_url=environment.get("AWS_ENDPOINT_URL"),
        region_name=environment.get("AWS_DEFAULT_REGION"),
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        config=Config(connect_timeout=5, read_timeout=30, **_proxies(environment)),
    )


def changed(client: Any, bucket: str, key: str) -> float | None:
    """When an object was written last, rounded up to S3's whole seconds; None when there is none.

    Raises ClientError or BotoCoreError when S3 refuses.
    """
    try:
        answer = client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
            return None
        raise
    return float(math.ceil(answer["LastModified"].timestamp()))


def _proxies(environment: Mapping[str, str]) -> dict[str, Any]:
    """No proxy stands before a server of this machine."""
    host = urlsplit(environment.get("AWS_ENDPOINT_URL", "")).hostname
    return {"proxies": {}} if host in ("127.0.0.1", "::1", "localhost") else {}
