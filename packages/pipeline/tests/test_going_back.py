"""A team's package goes back in its DAG bundle by the documented command, on a real S3 server."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from metaflow_airflow.bundle.objects import S3Objects
from metaflow_airflow.bundle.versions import Versions
from s3_server import S3Server


def publish(s3: S3Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.targets.bundle", *arguments],
        env={**os.environ, **s3.environment}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def test_an_older_package_takes_the_bundles_place_and_the_newer_one_again(
    s3_server: S3Server, tmp_path: Path
) -> None:
    url = f"s3://{s3_server.bucket}/{tmp_path.name}"
    versions = Versions(S3Objects(s3_server.client, s3_server.bucket, tmp_path.name))
    s3_server.client.put_object(
        Bucket=s3_server.bucket, Key=f"{tmp_path.name}/bundle.json", Body=b'{"format": 1}'
    )
    found: dict[str, set[str | None]] = {}
    for release in ("older", "newer", "older", "newer"):
        package = tmp_path / release / "trips"
        (package / "dags").mkdir(parents=True, exist_ok=True)
        (package / "dags" / "trips_dag.py").write_text(f"# {release}")

        done = publish(s3_server, str(package), url)

        assert done.returncode == 0, done.stderr
        found.setdefault(release, set()).add(versions.newest())
    assert [len(names) for names in found.values()] == [1, 1], "the same files are one version"
    assert found["older"] != found["newer"]

    assert "usage" in publish(s3_server, str(tmp_path), url).stderr
    refused = publish(s3_server, str(package), "s3://no-such-bucket/x")
    assert (refused.returncode, "s3://no-such-bucket/x cannot be written" in refused.stderr) == (
        1,
        True,
    )


def test_the_data_teams_package_says_in_the_bundle_what_it_is(
    s3_server: S3Server, tmp_path: Path
) -> None:
    versions = Versions(S3Objects(s3_server.client, s3_server.bucket, tmp_path.name))
    s3_server.client.put_object(
        Bucket=s3_server.bucket, Key=f"{tmp_path.name}/bundle.json", Body=b'{"format": 1}'
    )
    package = tmp_path / "data_engineering"
    (package / "dags").mkdir(parents=True)

    publish(s3_server, str(package), f"s3://{s3_server.bucket}/{tmp_path.name}")

    said = versions.content(versions.manifest(versions.newest()), "data_engineering/released.txt")
    assert said.decode().strip() == f"data-engineering-{version('data-engineering')}"
