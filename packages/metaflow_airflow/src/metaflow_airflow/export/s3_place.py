"""Whether an S3 prefix can be used: asked before Metaflow's client, which retries for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metaflow_airflow.errors import BridgeError

_CONNECT, _READ = 5, 20  # seconds
_WAY_OUT = (
    "Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or a profile) and "
    "METAFLOW_S3_ENDPOINT_URL."
)


def split(url: str) -> tuple[str, str]:
    """Bucket and prefix (without slashes at its ends) of an s3:// URL."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def client() -> Any:
    """Metaflow's own S3 client, but one that gives up soon."""
    from botocore.config import Config
    from metaflow.metaflow_config import DATATOOLS_CLIENT_PARAMS
    from metaflow.plugins.datatools.s3.s3util import get_s3_client

    soon = Config(connect_timeout=_CONNECT, read_timeout=_READ, retries={"total_max_attempts": 2})
    given = dict(DATATOOLS_CLIENT_PARAMS)
    config = given.pop("config", None)
    if config is not None:
        soon = (config if isinstance(config, Config) else Config(**config)).merge(soon)
    return get_s3_client(s3_client_params={**given, "config": soon})[0]


def check(url: str, what: str) -> None:
    """Look into a prefix.

    Args:
        what: what is kept there, to begin the error's sentence with.

    Raises:
        BridgeError: no bucket, wrong or no credentials, or no S3 server that answers.
    """
    bucket, prefix = split(url)
    with in_words(url, what):
        client().list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)


@contextmanager
def in_words(url: str, what: str) -> Iterator[None]:
    """Say in a sentence why S3 did not do what was asked within.

    Raises:
        BridgeError: see check.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code in ("NoSuchBucket", "404"):
            reason = f"there is no bucket *{split(url)[0]}*. Create it, or correct the name."
        else:
            reason = f"S3 refused the credentials ({code}). {_WAY_OUT}"
        raise BridgeError(f"{what} {url} cannot be used: {reason}") from error
    except (BotoCoreError, ValueError) as error:
        raise BridgeError(f"{what} {url} cannot be used: {error}. {_WAY_OUT}") from error
