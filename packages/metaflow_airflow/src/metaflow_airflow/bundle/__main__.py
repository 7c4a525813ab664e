"""Puts the files of a folder into a DAG bundle as its newest version.

    python -m metaflow_airflow.bundle FOLDER PLACE [--new]

PLACE is a folder or s3://bucket/prefix, with the credentials that boto3 finds. The version has just
these files: what the one before had besides is in no new run. --new makes PLACE a bundle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from metaflow_airflow.bundle.manifest import POINTER, BundleError, new_pointer
from metaflow_airflow.bundle.objects import FolderObjects, Objects, S3Objects
from metaflow_airflow.bundle.versions import Versions


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Write the version and print its name; what went wrong, or None."""
    parser = argparse.ArgumentParser(
        prog="python -m metaflow_airflow.bundle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("place")
    parser.add_argument("--new", action="store_true", help="make PLACE a bundle if it is none")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        return f"There is no folder {options.folder}."
    objects, errors = _open(options.place)
    versions = Versions(objects)
    try:
        if options.new and not versions.is_there():
            objects.put(POINTER, new_pointer())
        version = versions.write_all(contents(options.folder))
    except BundleError as error:
        return str(error)
    except errors as error:
        return f"{options.place} cannot be written: {error}"
    print(f"{options.place} has version {version}")
    return None


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name, without what Python compiled."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _open(place: str) -> tuple[Objects, tuple[type[Exception], ...]]:
    """The objects of a place, and what is raised where they cannot be written."""
    if not place.startswith("s3://"):
        return FolderObjects(Path(place)), (OSError,)
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    objects = S3Objects(boto3.client("s3"), bucket, prefix.strip("/"))
    return objects, (BotoCoreError, ClientError)


if __name__ == "__main__":
    sys.exit(main())
