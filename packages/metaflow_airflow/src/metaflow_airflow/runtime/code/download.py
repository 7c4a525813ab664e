"""One file from a datastore, before Metaflow is there to do it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ..failures import LaunchError, UnavailableError
from ..surroundings import lost_certificates

_CHUNK = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS = 10, 60


def download(datastore: str, url: str, target: Path) -> None:
    """Copy the object at url to target.

    Args:
        datastore: Metaflow's type of datastore.

    Raises:
        LaunchError: not there, no access, or no library for it in this Python.
        UnavailableError: cannot be reached.
    """
    readers = {"s3": _s3, "gs": _gs, "azure": _azure, "local": _local}
    if datastore not in readers:
        raise LaunchError(
            f"The code package {url} is in a datastore of type {datastore!r}; a launcher reads "
            f"{', '.join(readers)}."
        )
    readers[datastore](url, target)


def _s3(url: str, target: Path) -> None:
    try:
        import boto3
        from botocore import exceptions
        from botocore.config import Config
    except ImportError as error:
        raise _no_library("boto3", url) from error
    parsed = urlparse(url, allow_fragments=False)
    bucket, key = parsed.netloc, parsed.path.lstrip("/")
    endpoint = os.environ.get("METAFLOW_S3_ENDPOINT_URL") or None
    place = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    server = f"S3 at {place}" if place else "S3"
    try:
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "max_attempts": 3},
            ),
        )
        try:
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
            with target.open("wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    file.write(chunk)
        finally:
            # No open connection may be shared with the step, which is a fork of this process.
            client.close()
    except exceptions.ClientError as error:
        raise _s3_refusal(error, url, bucket, server) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise LaunchError(
            f"No credentials for {server} to read the code package {url}. Give the worker "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role."
        ) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, OSError) as error:
        if not (place or "").startswith("http:") and (lost := lost_certificates(os.environ)):
            raise LaunchError(f"{server} cannot be asked for {url}: {lost}") from error
        raise UnavailableError(f"{server} cannot be reached for {url}: {error}.") from error


def _s3_refusal(error: Any, url: str, bucket: str, server: str) -> LaunchError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return LaunchError(f"{server} has no bucket {bucket!r} (code package {url}).")
    if status == 404:
        return LaunchError(f"There is no code package {url} in {server}. Deploy the flow again.")
    if status in (401, 403):
        return LaunchError(
            f"{server} refuses to give the code package {url} ({code}): check the worker's "
            "credentials and what they may read."
        )
    return UnavailableError(f"{server} could not give {url}: {code or error}.")


def _gs(url: str, target: Path) -> None:
    try:
        from google.api_core import exceptions  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from google.cloud import storage  # type: ignore[import-not-found, import-untyped, attr-defined, unused-ignore]
    except ImportError as error:
        raise _no_library("google-cloud-storage", url) from error
    parsed = urlparse(url, allow_fragments=False)
    try:
        blob = storage.Client().bucket(parsed.netloc).blob(parsed.path.lstrip("/"))
        blob.download_to_filename(str(target))
    except exceptions.ClientError as error:
        raise LaunchError(f"Google Cloud Storage does not give {url}: {error}.") from error
    except (exceptions.GoogleAPIError, OSError) as error:
        raise UnavailableError(f"Google Cloud Storage cannot be reached: {error}.") from error


def _azure(url: str, target: Path) -> None:
    try:
        from azure.core import exceptions  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from azure.identity import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
            DefaultAzureCredential,
        )
        from azure.storage.blob import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
            BlobServiceClient,
        )
    except ImportError as error:
        raise _no_library("azure-identity and azure-storage-blob", url) from error
    variable = "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT"
    endpoint = os.environ.get(variable, "").rstrip("/")
    if not endpoint:
        raise LaunchError(f"Set {variable} where the step runs, to read {url}.")
    container, _, name = url.partition("/")
    try:
        service = BlobServiceClient(endpoint, credential=DefaultAzureCredential())
        with target.open("wb") as file:
            service.get_blob_client(container, name).download_blob().readinto(file)
    except (exceptions.ResourceNotFoundError, exceptions.ClientAuthenticationError) as error:
        raise LaunchError(f"Azure Blob Storage does not give {url}: {error}.") from error
    except (exceptions.AzureError, OSError) as error:
        raise UnavailableError(f"Azure Blob Storage cannot be reached: {error}.") from error


def _local(url: str, target: Path) -> None:
    try:
        shutil.copyfile(url.removeprefix("file://"), target)
    except OSError as error:
        raise LaunchError(
            f"The code package {url} cannot be read on this host: {error.strerror}. A local "
            "datastore must be in a folder that all workers share."
        ) from error


def _no_library(name: str, url: str) -> LaunchError:
    return LaunchError(
        f"This Python has no {name}, which reading the code package {url} needs: install it "
        "beside the flow's dependencies."
    )
