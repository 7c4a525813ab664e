"""Where datasets are kept: an S3 prefix, or a local folder for work without a server.

Both show an object only when all of it is there, and both can make one only if it is not there.
"""

from __future__ import annotations

import errno
import io
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore

from data_engineering.errors import BadInputError, DataError, UnavailableError
from data_engineering.storage.s3 import Bucket

_PART = 8 << 20
_UPLOADS = 4  # parts on their way at once
_WRITTEN_PART = 5 << 20  # the smallest that S3 takes: what is written on the fly waits in memory


@dataclass(frozen=True)
class Stat:
    """An object's size in bytes, when its server says it was written, and its version's tag."""

    size: int
    written: datetime
    tag: str | None


class _Reader(io.BytesIO):
    """An object of obstore as Python's own files are: what it reads are bytes."""

    def __init__(self, reader: obstore.ReadableFile) -> None:
        super().__init__()
        self._reader = reader

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._reader.size - self._reader.tell()
        return bytes(self._reader.read(left if size is None or size < 0 else min(size, left)))

    def seek(self, place: int, whence: int = 0, /) -> int:
        return self._reader.seek(place, whence)

    def tell(self) -> int:
        return self._reader.tell()


class Storage:
    """Objects under one root, by key ("features/green/…")."""

    def __init__(self, root: str) -> None:
        self._bucket: Bucket | None = None
        self._folder: Path | None = None
        if root.startswith("s3://"):
            self._bucket = Bucket(root)
            self.root = f"s3://{self._bucket.name}/{self._bucket.prefix}".rstrip("/")
            self._store: obstore.store.ObjectStore = self._bucket.store
        else:
            self._folder = Path(root).expanduser().absolute()
            self.root = str(self._folder)
            with self.explained(f"opening {self.root}"):
                self._folder.mkdir(parents=True, exist_ok=True)
                self._store = LocalStore(self._folder, mkdir=True)

    def uri(self, key: str) -> str:
        """Return where the object lies, for readers."""
        return f"{self.root}/{key}"

    def check(self) -> None:
        """Make sure that the root exists and takes our credentials; DataError otherwise."""
        with self.explained(f"opening {self.uri('')}"):
            self._store.list_with_delimiter()

    def put(
        self, key: str, content: bytes, *, create: bool = False, tag: str | None = None
    ) -> bool:
        """Write one object at once; return whether it was written.

        Args:
            key: which object.
            content: what is to be in it.
            create: only if there is no such object.
            tag: only if the object still has this tag.
        """
        mode = "create" if create else "overwrite"
        with self.explained(f"writing {self.uri(key)}"):
            try:
                if tag is not None and self._bucket is not None:
                    obstore.put(self._store, key, content, mode={"e_tag": tag})
                else:
                    obstore.put(self._store, key, content, mode=mode)  # type: ignore[arg-type]
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def upload(self, path: Path, key: str) -> None:
        """Copy a local file here."""
        with self.explained(f"writing {self.uri(key)}"):
            obstore.put(self._store, key, path, chunk_size=_PART, max_concurrency=_UPLOADS)

    def get(self, key: str) -> bytes | None:
        """Return an object, or None if there is none."""
        found = self.get_tagged(key)
        return found and found[0]

    def get_tagged(self, key: str) -> tuple[bytes, str | None] | None:
        """Return an object and its tag, or None if there is none."""
        with self.explained(f"reading {self.uri(key)}"):
            try:
                answer = obstore.get(self._store, key)
                return answer.bytes().to_bytes(), answer.meta["e_tag"]
            except FileNotFoundError as error:
                self._refuse_no_bucket(error, key)
                return None

    def stat(self, key: str) -> Stat | None:
        """Return what is known of an object, or None if there is none."""
        with self.explained(f"looking at {self.uri(key)}"):
            try:
                meta = obstore.head(self._store, key)
            except FileNotFoundError:
                return None
            return Stat(meta["size"], meta["last_modified"], meta["e_tag"])

    def stats(self, prefix: str) -> dict[str, Stat]:
        """Return what is known of each object whose key begins with `prefix`, a folder's."""
        with self.explained(f"listing {self.uri(prefix)}"):
            return {
                each["path"]: Stat(each["size"], each["last_modified"], each["e_tag"])
                for page in obstore.list(self._store, prefix or None)
                for each in page
            }

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below `prefix`, a folder's."""
        return sorted(self.stats(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        with self.explained(f"deleting {self.uri(key)}"):
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def delete_all(self, prefix: str) -> None:
        """Remove all objects below `prefix`, a folder's, and what unfinished ones left there."""
        for key in self.keys(prefix):
            self.delete(key)
        if self._folder is not None:
            shutil.rmtree(self._folder / prefix, ignore_errors=True)

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly in `prefix`."""
        if self._folder is not None:
            # Also those that hold nothing but the beginning of a file.
            return sorted(each.name for each in (self._folder / prefix).glob("*") if each.is_dir())
        with self.explained(f"listing {self.uri(prefix)}"):
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        return sorted(each.rstrip("/").rpartition("/")[2] for each in found)

    def last_written(self, folder: str) -> datetime | None:
        """Return when something was written to a folder last, by the storage's own clock.

        None if nothing is there.
        """
        written = [each.written for each in self.stats(folder).values()]
        if self._folder is not None:
            # Files under way have names that no listing shows.
            there = self._folder / folder
            files = [there, *there.iterdir()] if there.is_dir() else []
            written += [datetime.fromtimestamp(each.stat().st_mtime, UTC) for each in files]
        return max(written, default=None)

    def now(self) -> datetime:
        """Return the time by the storage's own clock, which it tells of what it writes."""
        key = f"clock-{uuid.uuid4().hex}"
        self.put(key, b"")
        stat = self.stat(key)
        self.delete(key)
        if stat is None:
            raise UnavailableError(f"{self.uri(key)} was written and is gone")
        return stat.written

    def drop_uploads(self, prefix: str, age: timedelta) -> int:
        """Remove what uploads that were begun so long ago and never ended left; return how many."""
        return self._bucket.drop_uploads(prefix, age) if self._bucket else 0

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """Write an object in parts, sent as they fill; it appears when the block ends well."""
        with (
            self.explained(f"writing {self.uri(key)}"),
            obstore.open_writer(
                self._store, key, buffer_size=_WRITTEN_PART, max_concurrency=2
            ) as file,
        ):
            yield cast(BinaryIO, file)

    def reading(self, key: str) -> BinaryIO:
        """Open an object to read any part of it."""
        if self._folder is not None:
            with self.explained(f"reading {self.uri(key)}"):
                return (self._folder / key).open("rb")
        with self.explained(f"reading {self.uri(key)}"):
            return _Reader(obstore.open_reader(self._store, key, buffer_size=1 << 20))

    def chunks(self, key: str) -> Iterator[bytes]:
        """Return an object's bytes, a few megabytes at a time."""
        with self.explained(f"reading {self.uri(key)}"):
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=_PART):
                yield bytes(chunk)

    @property
    def server(self) -> str:
        """Return the S3 server's URL, or the folder."""
        return self._bucket.server if self._bucket else self.root

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn what the store raises inside the block into our errors."""
        if self._bucket is not None:
            self._bucket.check_credentials(doing)
        try:
            yield
        except DataError:
            raise
        except (BaseError, OSError) as error:
            if self._bucket is not None:
                raise self._bucket.meaning(error, doing) from error
            raise local_meaning(error, doing) from error

    def _refuse_no_bucket(self, error: Exception, key: str) -> None:
        if self._bucket is not None and "NoSuchBucket" in str(error):
            raise self._bucket.meaning(error, f"reading {self.uri(key)}") from error


def local_meaning(error: Exception, doing: str) -> DataError:
    """Return our error for what went wrong with a file or folder."""
    said = str(error).partition("Debug source")[0].strip()
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in said
    if full or "No space left" in said:
        return UnavailableError(f"{doing}: the disk is full")
    if isinstance(error, FileNotFoundError):
        return BadInputError(f"{doing}: there is no such file")
    if isinstance(error, OSError) and error.strerror:
        said = error.strerror
    return BadInputError(f"{doing}: {said}")


@contextmanager
def local_files(doing: str) -> Iterator[None]:
    """Turn what files on this machine raise inside the block into our errors."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise local_meaning(error, doing) from error
