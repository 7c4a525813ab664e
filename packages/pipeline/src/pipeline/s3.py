"""The pipeline's client of a target's object store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config


def client(environment: Mapping[str, str]) -> Any:
    """Return a boto3 S3 client with the AWS_* settings of `environment`; no proxy, few retries."""
    return boto3.Session().client(
        "s3",
        endpoint_url=environment.get("AWS_ENDPOINT_URL"),
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, connect_timeout=5, read_timeout=30),
    )
