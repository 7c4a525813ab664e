"""Where a month of trips comes from, and how its file gets to this machine."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from data_engineering.contract.months import check_has_zones, check_published, file_name
from data_engineering.errors import BadInputError
from data_engineering.sources.allowed import check_allowed
from data_engineering.sources.download import (
    Patience,
    content_tag,
    download,
    shown,
    unreachable,
)
from data_engineering.sources.progress import Progress
from data_engineering.storage.objects import Storage, local_files

log = logging.getLogger(__name__)

TLC_SITE = "https://d37ci6vzurychx.cloudfront.net/trip-data"
FORMS = (".parquet", ".csv", ".csv.gz")


def tlc_site() -> str:
    """Return where TLC publishes, or $TLC_TRIP_DATA_URL: a mirror of it."""
    return (os.environ.get("TLC_TRIP_DATA_URL") or TLC_SITE).rstrip("/")


Kind = Literal["tlc", "path", "url", "generator"]


@dataclass(frozen=True)
class Origin:
    """Where one month's file is to come from.

    `location` is a path (of a file, or of a folder that holds TLC's file names), a URL (http, https
    or s3; of a file if it ends like one, else a prefix of TLC's file names), or empty for the
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
        BadInputError: `source` is a relative path, or a URL of a kind that we cannot read, or
            TLC has no trips of that month, or none with zones.
    """
    name = file_name(cab, check_published(cab, month))
    match source:
        case "" | "tlc":
            return Origin("tlc", cab, check_has_zones(cab, month), f"{tlc_site()}/{name}")
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
            if not parts.path.endswith(FORMS):
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


def check_reachable(origins: Sequence[Origin]) -> None:
    """Ask TLC's site once, if months are to come from there.

    Raises:
        BadInputError: it cannot be reached. Nothing takes the place of real trips by itself.
    """
    if not origins or origins[0].kind != "tlc":
        return
    reason = unreachable(origins[0].location)
    if reason is not None:
        raise BadInputError(
            f"TLC's site cannot be reached ({tlc_site()}: {reason}). For real trips give a file, "
            "folder or URL as source (--source), or name a mirror in TLC_TRIP_DATA_URL; for "
            "made-up ones ask for them: --source generator"
        )


def check_places(origins: Sequence[Origin], places: Sequence[str]) -> None:
    """Raise BadInputError for an origin that the configuration does not allow.

    Args:
        origins: where months are to come from.
        places: what `allowed.allowed_places` returned, and where datasets are kept.
    """
    for origin in origins:
        if origin.kind in ("path", "url"):
            check_allowed(origin.location, origin.uri, places)


def fetch(
    origin: Origin, folder: Path, places: Sequence[str], patience: Patience | None = None
) -> Path:
    """Bring the month's file to `folder`, or return where it lies if it is local already.

    Raises:
        BadInputError: there is no such file, it is not allowed, or its server refuses us.
        UnavailableError: its server kept failing, or the disk is full.
    """
    check_places([origin], places)
    target = folder / file_name(origin.cab, origin.month)
    match origin.kind:
        case "generator":
            from data_engineering.sources.generator import generate

            log.info("Generating %s", origin.uri)
            with local_files(f"writing {target}"):
                generate(target, origin.cab, origin.month, rows=origin.rows, seed=origin.seed)
        case "path":
            return _local(Path(origin.location), target.name, places)
        case _ if origin.location.startswith("s3://"):
            _from_s3(origin.location, target, patience or Patience())
        case _:
            _from_site(origin, target, places, patience or Patience())
    return target


def tag_of(origin: Origin, places: Sequence[str]) -> str:
    """Return what the origin's server calls the content that it has now; empty if nothing does."""
    check_places([origin], places)
    if origin.kind in ("path", "generator"):
        return ""
    if not origin.location.startswith("s3://"):
        return content_tag(origin.location)
    prefix, _, key = origin.location.rpartition("/")
    stat = Storage(prefix).stat(key)
    return (stat.tag or "") if stat else ""


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with local_files(f"reading {path}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local(path: Path, name: str, places: Sequence[str]) -> Path:
    try:
        if path.is_dir():
            stem = name.removesuffix(FORMS[0])
            names = [path / f"{stem}{form}" for form in FORMS]
            path = next((each for each in names if each.is_file()), names[0])
        if not path.is_file():
            raise BadInputError(f"there is no file {path}{_beside(path)}")
        check_allowed(str(path), str(path), places)
        with path.open("rb"):
            return path
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error


def _beside(path: Path) -> str:
    """Return a hint: what of TLC's lies in the folder of a path that is missing."""
    if not path.parent.is_dir():
        return f": there is no folder {path.parent} on this machine"
    others = sorted(each.name for each in path.parent.glob("*_tripdata_*"))
    listed = ", ".join(others[:6]) + (", …" if len(others) > 6 else "")
    return f": {path.parent} has {listed or 'no trip files'}"


def _from_site(origin: Origin, target: Path, places: Sequence[str], patience: Patience) -> None:
    def check(url: str) -> None:
        """A server may send us on to another: it must be an allowed one too."""
        check_allowed(url, shown(url), [tlc_site(), *places])

    try:
        download(origin.location, target, patience, check)
    except BadInputError as error:
        # TLC's file server answers so for every name that it does not have.
        if origin.kind == "tlc" and "answers 403" in str(error):
            raise BadInputError(
                f"TLC has not published {origin.cab} {origin.month}: {error}"
            ) from error
        raise


def _from_s3(uri: str, target: Path, patience: Patience) -> None:
    prefix, _, key = uri.rpartition("/")
    storage = Storage(prefix)
    storage.check()  # tells a missing bucket from a missing object
    stat = storage.stat(key)
    if stat is None:
        raise BadInputError(f"reading {uri}: there is no such object at {storage.server}")
    progress = Progress(uri, stat.size, patience.progress_every)
    part = target.with_name(f"{target.name}.part")
    with local_files(f"writing {part}"), part.open("wb") as file:
        for chunk in storage.chunks(key):
            file.write(chunk)
            progress.add(len(chunk))
    part.replace(target)
    progress.end()
