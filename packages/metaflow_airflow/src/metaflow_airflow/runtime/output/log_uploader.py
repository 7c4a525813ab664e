"""Brings the growing log files of a step to the datastore, from a thread of the launcher."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...compat import metaflow as upstream
from .log_file import LogFile

_SHARE = 10
"""An upload that takes t seconds is followed by a pause of at least ten times that."""


class LogUploader:
    """Uploads often at first, seldom later, as Metaflow does; and once more at the end.

    Args:
        save: takes the files of stdout and stderr to the datastore; None for one without news.
        say: gets one line when the logs could not be brought home.
    """

    def __init__(
        self,
        stdout: LogFile,
        stderr: LogFile,
        save: Callable[[Path | None, Path | None], None],
        say: Callable[[str], None],
    ) -> None:
        self._stdout, self._stderr = stdout, stderr
        self._save = save
        self._say = say
        self._sizes = (0, 0)
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log-upload", daemon=True)

    def start(self) -> None:
        """From here on no fork is safe."""
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Upload what is new since, but do not wait longer than that."""
        self._stopped.set()
        if not self._thread.ident:
            self.start()
        last = self._thread
        last.join(seconds / 2)
        if last.is_alive():
            # Metaflow's client sleeps for minutes between two questions to a storage that was away,
            # also when that is back by now.
            last = threading.Thread(target=self._upload, name="last-log-upload", daemon=True)
            last.start()
            last.join(seconds / 2)
        if last.is_alive():
            self._say(f"the step's logs could not be uploaded within {seconds:.0f} s")
        failure = self._failure or self._stdout.failure or self._stderr.failure
        if failure:
            dropped = self._stdout.dropped + self._stderr.dropped
            lost = f" ({dropped} bytes are in Airflow's log only)" if dropped else ""
            self._say(f"the step's logs could not be uploaded as a whole: {failure}{lost}")

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stopped.is_set():
            took = self._upload()
            delay = upstream.log_upload_delay(time.monotonic() - started)
            self._stopped.wait(max(delay, _SHARE * took))
        self._upload()

    def _upload(self) -> float:
        sizes = (self._stdout.size, self._stderr.size)
        if sizes == self._sizes:
            return 0.0
        started = time.monotonic()
        try:
            # An empty stream has no file: readers take a missing one for empty.
            self._save(
                self._stdout.path if sizes[0] != self._sizes[0] else None,
                self._stderr.path if sizes[1] != self._sizes[1] else None,
            )
            self._sizes, self._failure = sizes, None
        except Exception as error:  # noqa: BLE001 - the step goes on without; said at the end
            self._failure = error
        return time.monotonic() - started
