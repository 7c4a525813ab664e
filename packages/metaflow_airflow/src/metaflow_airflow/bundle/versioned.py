"""The DAG bundle that Airflow loads: each run goes on with the version that it began with."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from airflow.dag_processing.bundles.base import BaseDagBundle

from metaflow_airflow.bundle.manifest import BundleError, Manifest, digest
from metaflow_airflow.bundle.objects import FolderObjects, Objects, S3Objects, is_refusal
from metaflow_airflow.bundle.versions import Versions
from metaflow_airflow.compat.airflow_processing import forget_callbacks

log = logging.getLogger(__name__)

STANDS_ALONE = "MetaflowFlow.load("
"""What only exported flows say, which import nothing from beside them."""

_CURRENT = "current"
_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_T = TypeVar("_T")


class VersionedDagBundle(BaseDagBundle):
    """DAG files in a folder or in S3, with a version for each change.

    Airflow notes the version with each run; workers and clears of the run get that one. What
    writes versions: `flow.py airflow create`, and whoever uses `metaflow_airflow.bundle.versions`.

    Args:
        url: a folder, or s3://bucket/prefix.
        aws_conn_id: Airflow's connection for S3; None: what boto3 finds by itself.
        wait: seconds that a task waits for its version where the storage does not answer.
    """

    supports_versioning = True

    def __init__(
        self, *, url: str, aws_conn_id: str | None = None, wait: float = 600.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.url = url.rstrip("/")
        self._conn_id = aws_conn_id
        self._wait = wait
        self._opened: Versions | None = None
        self._current: str | None = None
        self._fresh: list[Path] = []

    @property
    def path(self) -> Path:
        """Where this version's files are on this machine; without a version, the newest one's."""
        if self.version:
            return self.versions_dir / self.version
        return self.base_dir / _CURRENT

    def initialize(self) -> None:
        """Bring the files here.

        Raises:
            BundleError: there is no such bundle or version, or it is damaged.
        """
        forget_callbacks()
        if self.version is None:
            self.refresh()
        elif not self.path.exists():
            self._patiently(self._unpack)
        super().initialize()

    def get_current_version(self) -> Any:
        """The version whose files are here."""
        version = self.version or self._current
        if version is None:
            return None
        try:
            from airflow.dag_processing.bundles.base import BundleVersion
        except ImportError:  # before 3.3
            return version
        return BundleVersion(version)

    def refresh(self) -> None:
        """Bring the newest version's files here.

        Raises:
            BundleError: see initialize.
        """
        if self.version:
            raise BundleError(f"{self.url}: version {self.version} is what it is.")
        with self.lock():
            # A parse of the former file may have ended after the new one came, and Airflow would
            # take that for one of the new file: it looks at times alone.
            fresh, self._fresh = self._fresh, []
            for path in fresh:
                if path.exists():
                    os.utime(path)
            newest = self._versions.newest()
            if newest is None or newest != self._current or not self.path.exists():
                manifest = self._versions.manifest(newest)
                changed = self._bring(manifest, self.path)
                if changed and self._current is not None:
                    changed += self._touch_importers(set(changed))
                self._fresh, self._current = changed, manifest.version

    @property
    def _versions(self) -> Versions:
        if self._opened is None:
            self._opened = Versions(self._open())
        return self._opened

    def _open(self) -> Objects:
        if not self.url.startswith("s3://"):
            return FolderObjects(Path(self.url))
        # It takes a second, which a worker that has its version does not spend.
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        return S3Objects(S3Hook(aws_conn_id=self._conn_id).get_conn(), bucket, prefix)

    def _unpack(self) -> None:
        with self.lock():
            if self.path.exists():
                return
            manifest = self._versions.manifest(self.version)
            self.versions_dir.mkdir(parents=True, exist_ok=True)
            with _folder_beside(self.path) as part:
                self._bring(manifest, part)
                part.rename(self.path)

    def _bring(self, manifest: Manifest, folder: Path) -> list[Path]:
        """Make a folder hold a version's files; those that are new or changed."""
        folder.mkdir(parents=True, exist_ok=True)
        here, changed = FolderObjects(folder), []
        for name, wanted in sorted(manifest.files.items()):
            path = folder / name
            if not path.is_file() or digest(path.read_bytes()) != wanted:
                here.put(name, self._versions.content(manifest, name))
                changed.append(path)
        for stored in list(here.all()):
            # Python tells compiled files of another text by second and size: they go with a change.
            if stored.name not in manifest.files and (changed or "__pycache__" not in stored.name):
                here.remove(stored.name)
        return changed

    def _touch_importers(self, changed: set[Path]) -> list[Path]:
        """Have what may import a changed file read again; an exported flow imports none."""
        found = []
        for path in self.path.rglob("*.py"):
            if path not in changed and STANDS_ALONE not in path.read_text(errors="replace"):
                os.utime(path)
                found.append(path)
        return found

    def _patiently(self, act: Callable[[], _T]) -> _T:
        """Let a step outlive its storage's absence: a failure here would use one of its retries."""
        deadline, pause = time.monotonic() + self._wait, _PAUSE
        while True:
            try:
                return act()
            except BundleError:
                raise
            except Exception as error:  # of boto3, urllib3, the file system
                if is_refusal(error) or time.monotonic() + pause > deadline:
                    raise BundleError(
                        f"DAG bundle {self.name}: version {self.version} cannot be had from "
                        f"{self.url}: {error}. Look whether that is up and Airflow may read it, "
                        "then clear the task."
                    ) from error
                log.warning("%s does not answer (%s); trying again", self.url, error)
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder to fill and rename; what a killed process left of one is removed."""
    prefix = f".{path.name}-"
    for left in path.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
    part.chmod(0o755)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
