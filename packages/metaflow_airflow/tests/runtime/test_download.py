"""Code packages: what datastores give, and what they say instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from metaflow_airflow.runtime.code.download import download
from metaflow_airflow.runtime.failures import LaunchError, UnavailableError

from .support import Platform


@pytest.mark.parametrize(
    ("change", "key", "raised", "said"),
    [
        ({}, "metaflow/none", LaunchError, "There is no code package s3://.*none.*Deploy"),
        ({"bucket": "no-such"}, "x", LaunchError, "has no bucket 'no-such'"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "ready", LaunchError, "refuses.*credentials"),
        (
            {"METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"},
            "ready",
            UnavailableError,
            "S3 at http://127.0.0.1:9 cannot be reached",
        ),
        (
            {"METAFLOW_S3_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_CA_BUNDLE": "/gone.pem"},
            "ready",
            LaunchError,
            r"cannot be asked for .*: AWS_CA_BUNDLE \(/gone.pem\) names a file",
        ),
    ],
)
def test_what_s3_does_not_give(
    platform: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    key: str,
    raised: type[LaunchError],
    said: str,
) -> None:
    change = dict(change)
    bucket = change.pop("bucket", platform.server.bucket)
    for name, value in {**platform.server.environment, **change}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(raised, match=said):
        download("s3", f"s3://{bucket}/{key}", tmp_path / "file")


def test_s3_gives_a_file(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in platform.server.environment.items():
        monkeypatch.setenv(name, value)
    download("s3", f"s3://{platform.server.bucket}/ready", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"ready"


@pytest.mark.parametrize(
    ("datastore", "url", "said"),
    [
        ("tape", "tape://1", "datastore of type 'tape'; a launcher reads s3, gs, azure, local"),
        ("local", "/no/package", "cannot be read on this host: No such file"),
        ("azure", "container/blob", "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT|has no azure"),
    ],
)
def test_other_datastores(tmp_path: Path, datastore: str, url: str, said: str) -> None:
    with pytest.raises(LaunchError, match=said):
        download(datastore, url, tmp_path / "file")
