"""Which S3 server and bucket are meant, and what its errors mean in plain words.

Server, region and credentials are boto3's choice, with all of its ways to name them; obstore does
the work, but for uploads that never ended, which it cannot list.
"""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from data_engineering import trust
from data_engineering.errors import BadInputError, DataError, UnavailableError

if TYPE_CHECKING:
    from obstore.store import ClientConfig

_REFUSED = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken",
     "InvalidToken", "Forbidden", "401", "403"}
)  # fmt: skip
_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}
)
_CLIENT: dict[str, Any] = {
    "connect_timeout": "5s", "read_timeout": "60s", "timeout": "15min", "allow_http": True
}  # fmt: skip
_RETRY: dict[str, Any] = {"max_retries": 4}


class Bucket:
    """A bucket of the S3 server that the AWS_* environment names, below a prefix."""

    def __init__(self, uri: str) -> None:
        self.name, self.prefix = bucket_and_key(uri)
        try:
            session = boto3.Session()
            found = trust.authority()
            self._client = session.client(
                "s3", config=_CONFIG, verify=str(found[1]) if found else None
            )
            credentials = session.get_credentials()
        except (BotoCoreError, ValueError) as error:
            raise BadInputError(f"the AWS_* environment names no S3 server: {error}") from error
        self.server: str = self._client.meta.endpoint_url
        self.store = S3Store(
            self.name,
            prefix=self.prefix or None,
            config={"region": self._client.meta.region_name, "endpoint": self.server},
            client_options=cast(
                "ClientConfig",
                _CLIENT | ({"root_certificate": found[1].read_bytes()} if found else {}),
            ),
            retry_config=_RETRY,  # type: ignore[arg-type]
            credential_provider=Boto3CredentialProvider(session) if credentials else None,
        )
        self._has_credentials = credentials is not None

    def check_credentials(self, doing: str) -> None:
        """Raise BadInputError if there are no credentials at all."""
        if not self._has_credentials:
            raise BadInputError(
                f"{doing}: no credentials for the S3 server {self.server}: set AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY"
            )

    def drop_uploads(self, prefix: str, age: timedelta) -> int:
        """Remove what uploads that were begun so long ago and never ended left; return how many."""
        dropped = 0
        below = f"{self.prefix}/{prefix}" if self.prefix else prefix
        pages = self._client.get_paginator("list_multipart_uploads")
        try:
            for page in pages.paginate(Bucket=self.name, Prefix=below):
                before = (
                    parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]) - age
                )
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._client.abort_multipart_upload(
                            Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        dropped += 1
        except (ClientError, BotoCoreError) as error:
            doing = f"listing unfinished uploads to s3://{self.name}/{below}"
            raise self.meaning(error, doing) from error
        return dropped

    def meaning(self, error: Exception, doing: str) -> DataError:
        """Return our error for one of obstore's or boto3's, naming server and bucket."""
        code, status, said = _answer(error)
        at = f"the S3 server {self.server}"
        if code == "NoSuchBucket":
            return BadInputError(
                f"{doing}: there is no bucket {self.name} at {self.server}: "
                "create it or name another"
            )
        if code in _REFUSED:
            return BadInputError(
                f"{doing}: {at} refused the credentials for bucket {self.name} ({code}): check "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if "InvalidCertificate" in said:
            return BadInputError(f"{doing}: {at}: {trust.advice()}")
        if isinstance(error, FileNotFoundError) or code in {"NoSuchKey", "404"}:
            return BadInputError(f"{doing}: there is no such object at {self.server}")
        if status is None:
            return UnavailableError(f"{doing}: {at} does not answer: {_brief(said)}")
        if status >= 500 or code in {"SlowDown", "RequestTimeout", "429"}:
            return UnavailableError(f"{doing}: {at} answered {status} {code}")
        return DataError(f"{doing}: {at} answered {status} {code}")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key; the key may be empty.

    Raises:
        BadInputError: not an S3 URI, or one without a bucket.
    """
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise BadInputError(f"{uri!r} is no S3 location: it must read s3://bucket/prefix")
    return parts.netloc, parts.path.strip("/")


def _answer(error: Exception) -> tuple[str, int | None, str]:
    """Return the server's error code (its status where it gave none), its status, all words."""
    said = str(error)
    if isinstance(error, ClientError):
        answer = error.response
        return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], said
    status = re.search(r"status code: (\d{3})", said)
    code = re.search(r"<Code>(\w+)</Code>", said)
    number = int(status[1]) if status else None
    return (code[1] if code else str(number or "")), number, said


def _brief(said: str) -> str:
    """Return the first sentence: obstore prints the structure of its error below it."""
    return " ".join(said.partition("Debug source")[0].split())
