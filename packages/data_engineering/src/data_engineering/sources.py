"""Where a month of trips comes from, and how its file gets to this machine."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from data_engineering import contract, s3
from data_engineering.download import Patience, download, shown, unreachable
from data_engineering.errors import BadInputError
from data_engineering.progress import Progress

log = logging.getLogger(__name__)

TLC_SITE = "https://d37ci6vzurychx.cloudfront.net/trip-data"


def tlc_site() -> str:
    """Return where TLC publishes, or $TLC_TRIP_DATA_URL: a mirror of it."""
    return (os.environ.get("TLC_TRIP_DATA_URL") or TLC_SITE).rstrip("/")


Kind = Literal["tlc", "path", "url", "generator"]


@dataclass(frozen=True)
class Origin:
    """Where one month's file is to come from.

    `location` is a path (of a file, or of a folder that holds TLC's file names), a URL (http, https
    or s3; of a file if it ends in .parquet, else a prefix of TLC's file names), or empty for the
    generator, which makes `rows` rows from `seed`.
    """

    kind: Kind
    cab: str
    month: str
    location: str = ""
    rows: int = 0
    seed: int = 0

    @property
    def uri(self) -> str:
        """What to show and to keep: no password or signature of a URL is in it."""
        if self.kind == "generator":
            return f"generator:{self.cab}/{self.month}?rows={self.rows}&seed={self.seed}"
        return self.location if self.kind == "path" else shown(self.location)


def resolve(source: str, cab: str, month: str, *, rows: int, seed: int) -> Origin:
    """Return what `source` means for that month; nothing is read yet.

    "" and "tlc" mean TLC's own site, "generator" the generator; anything else is a path or a URL.

    Raises:
        BadInputError: `source` is a relative path, or a URL of a kind that we cannot read.
    """
    name = contract.file_name(cab, month)
    match source:
        case "" | "tlc":
            return Origin("tlc", cab, month, f"{tlc_site()}/{name}")
        case "generator":
            return Origin("generator", cab, month, rows=rows, seed=seed)
    parts = _split(source)
    match parts.scheme:
        case "":
            path = Path(source).expanduser()
            if not path.is_absolute():
                raise BadInputError(f"source {source} is a relative path: give an absolute one")
            return Origin("path", cab, month, str(path))
        case "file":
            return Origin("path", cab, month, parts.path)
        case "http" | "https" | "s3":
            if not parts.path.endswith(".parquet"):
                parts = parts._replace(path=f"{parts.path.rstrip('/')}/{name}")
            return Origin("url", cab, month, parts.geturl())
    raise BadInputError(
        f"source {parts.scheme}://… cannot be read: it must be tlc, generator, a path, or a URL "
        "that begins with http://, https:// or s3://"
    )


def _split(source: str) -> SplitResult:
    try:
        parts = urlsplit(source)
        _ = parts.port  # raises if it is no number
    except ValueError as error:
        raise BadInputError(f"source is no URL that we understand: {error}") from error
    return parts


def tlc_or_generator(origins: list[Origin], *, rows: int, seed: int) -> list[Origin]:
    """Return `origins`, or the generator's if they are TLC's and its site cannot be reached.

    Asks the site once for all months, so that a run never mixes real and generated ones.
    """
    if not origins or origins[0].kind != "tlc":
        return origins
    reason = unreachable(origins[0].location)
    if reason is None:
        return origins
    log.warning(
        "TLC's site cannot be reached (%s: %s). The trips of this run are GENERATED, not real. "
        "For real ones give a file, folder or URL as source.",
        tlc_site(),
        reason,
    )
    return [Origin("generator", each.cab, each.month, rows=rows, seed=seed) for each in origins]


def fetch(origin: Origin, folder: Path, patience: Patience | None = None) -> Path:
    """Bring the month's file to `folder`, or return where it lies if it is local already.

    Raises:
        BadInputError: there is no such file, or its server cannot be reached or refuses us.
        UnavailableError: its server kept failing.
    """
    target = folder / contract.file_name(origin.cab, origin.month)
    match origin.kind:
        case "generator":
            from data_engineering.generator import generate

            log.info("Generating %s", origin.uri)
            generate(target, origin.cab, origin.month, rows=origin.rows, seed=origin.seed)
        case "path":
            return _local(Path(origin.location), target.name)
        case _ if origin.location.startswith("s3://"):
            _from_s3(origin.location, target, patience or Patience())
        case _:
            _from_site(origin, target, patience or Patience())
    return target


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local(path: Path, name: str) -> Path:
    try:
        if path.is_dir():
            path = path / name
        if not path.is_file():
            raise BadInputError(f"there is no file {path}{_beside(path)}")
        with path.open("rb"):
            return path
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error


def _beside(path: Path) -> str:
    """Return a hint: what of TLC's lies in the folder of a path that is missing."""
    if not path.parent.is_dir():
        return f": there is no folder {path.parent} on this machine"
    others = sorted(each.name for each in path.parent.glob("*_tripdata_*.parquet"))
    listed = ", ".join(others[:6]) + (", …" if len(others) > 6 else "")
    return f": {path.parent} has {listed or 'no trip files'}"


def _from_site(origin: Origin, target: Path, patience: Patience) -> None:
    try:
        download(origin.location, target, patience)
    except BadInputError as error:
        # TLC's file server answers so for every name that it does not have.
        if origin.kind == "tlc" and "answers 403" in str(error):
            raise BadInputError(
                f"TLC has not published {origin.cab} {origin.month}: {error}"
            ) from error
        raise


def _from_s3(uri: str, target: Path, patience: Patience) -> None:
    bucket, key = s3.bucket_and_key(uri)
    _, client = s3.connect()
    with s3.explained(client, bucket, f"reading {uri}"):
        # Listing tells a missing bucket from a missing object; a HEAD has no body to say so.
        client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        size: int = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        progress = Progress(uri, size, patience.progress_every)
        part = target.with_name(f"{target.name}.part")
        client.download_file(bucket, key, str(part), Callback=progress.add)
        part.replace(target)
        progress.end()
