"""What lies where in a versioned bundle, and which version a set of files is. Pure.

    bundle.json           the newest version; the one object that changes
    versions/<version>    names of a version's files, and the digest of each
    files/<digest>        a file's content

Names are made of contents, so that a file is kept once however many versions have it, and the
same files are the same version: who goes back to a former state goes back to its version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from metaflow_airflow.errors import BridgeError

POINTER = "bundle.json"
FILES, VERSIONS = "files/", "versions/"
FORMAT = 1
_VERSION_LENGTH = 16


class BundleError(BridgeError):
    """A versioned bundle that cannot be read or written."""


@dataclass(frozen=True)
class Manifest:
    """The files of one version: digests by name (a path below the bundle, with slashes)."""

    files: Mapping[str, str]

    @classmethod
    def of(cls, contents: Mapping[str, bytes]) -> Manifest:
        """The manifest of these contents by name."""
        return cls({name: digest(content) for name, content in contents.items()})

    @classmethod
    def from_json(cls, text: bytes, where: str) -> Manifest:
        """Read a manifest.

        Raises:
            BundleError: it is none, or names a file outside of the bundle.
        """
        try:
            files = json.loads(text)["files"]
            named = {str(name): str(found) for name, found in files.items()}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BundleError(f"{where} is no manifest of a DAG bundle.") from error
        for name in named:
            if name.startswith("/") or ".." in name.split("/"):
                raise BundleError(f"{where} names the file {name}, which is outside of its bundle.")
        return cls(named)

    def to_json(self) -> bytes:
        """As JSON: the same files give the same bytes."""
        return json.dumps({"files": dict(self.files)}, sort_keys=True, indent=1).encode()

    @property
    def version(self) -> str:
        """The version's name."""
        return digest(self.to_json())[:_VERSION_LENGTH]


EMPTY = Manifest({})


def new_pointer() -> bytes:
    """The bundle.json of a bundle that has no version yet."""
    return json.dumps({"format": FORMAT}).encode()


def pointer_to(version: str) -> bytes:
    """What bundle.json says of the newest version."""
    return json.dumps({"format": FORMAT, "version": version}).encode()


def pointed_to(text: bytes, where: str) -> str | None:
    """The version that bundle.json names; None where it names none yet.

    Raises:
        BundleError: a newer bridge wrote it, or it is something else.
    """
    try:
        found = json.loads(text)
        written, version = int(found["format"]), found.get("version")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BundleError(f"{where} is no description of a DAG bundle.") from error
    if written > FORMAT:
        raise BundleError(
            f"{where} has format {written}, but this metaflow-airflow reads up to {FORMAT}. "
            "Upgrade metaflow-airflow."
        )
    return None if version is None else str(version)


def digest(content: bytes) -> str:
    """What names a content."""
    return hashlib.sha256(content).hexdigest()


def is_loose(name: str) -> bool:
    """Whether a name is of a file that lies beside the versions, as in a plain DAGs folder."""
    parts = name.split("/")
    hidden = any(part.startswith(".") and part != ".airflowignore" for part in parts)
    layout = name == POINTER or f"{parts[0]}/" in (FILES, VERSIONS)
    return not hidden and not layout and "__pycache__" not in parts
