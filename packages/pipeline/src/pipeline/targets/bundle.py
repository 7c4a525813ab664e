"""Publishes a package as a versioned DAG bundle in S3: the package becomes its newest version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from embedded.errors import StackError
from metaflow_airflow.bundle.manifest import BundleError, Manifest
from metaflow_airflow.bundle.objects import S3Objects
from metaflow_airflow.bundle.versions import Versions

# Airflow looks for DAGs below `dags` alone; the rest is there to be imported.
_IGNORE = "*/*.py\n"


def publish(package: Path, url: str, client: Any) -> int:
    """Make the package the newest version of the bundle at `url` (s3://bucket/prefix).

    Returns how many files it adds, changes or removes; raises StackError when S3 refuses.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    versions = Versions(S3Objects(client, bucket, prefix))
    contents = {".airflowignore": _IGNORE.encode()}
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            contents[path.relative_to(package.parent).as_posix()] = path.read_bytes()
    # There is no git in a bundle: its DAGs read from this what they are.
    if said := _released(package):
        contents[f"{package.name}/released.txt"] = said
    try:
        former = versions.manifest(versions.newest()).files
        versions.write_all(contents)
    except (BotoCoreError, ClientError, BundleError) as error:
        raise StackError(f"the DAG bundle {url} cannot be written: {error}") from error
    return len({name for name, _ in former.items() ^ Manifest.of(contents).files.items()})


def _released(package: Path) -> bytes:
    """What the team's own package says of the release in a folder; nothing if it does not."""
    command = [sys.executable, "-m", f"{package.name}.released", str(package)]
    return subprocess.run(command, capture_output=True, check=False).stdout


def main(arguments: Sequence[str]) -> int:
    """`python -m pipeline.targets.bundle PACKAGE URL`, for a release that a team goes back to."""
    if len(arguments) != 2 or not Path(arguments[0], "dags").is_dir():
        sys.stderr.write("usage: python -m pipeline.targets.bundle PACKAGE s3://BUCKET/PREFIX\n")
        sys.stderr.write("PACKAGE is an import package with its DAG files in dags\n")
        return 2
    package, url = arguments
    try:
        changed = publish(Path(package).resolve(), url, boto3.client("s3"))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"{url} holds {package}: {changed} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
