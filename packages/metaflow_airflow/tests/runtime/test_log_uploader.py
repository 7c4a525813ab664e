"""The last lines of a step come home, whatever its storage does meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from metaflow_airflow.runtime.output.log_file import LogFile
from metaflow_airflow.runtime.output.log_uploader import LogUploader

from .waiting import wait_for


class Storage:
    """A place for logs whose first upload hangs, as where S3 is away; the next are answered."""

    def __init__(self, answers: bool = True) -> None:
        self.hangs, self.ends = threading.Event(), threading.Event()
        self.answers = answers
        self.kept = b""

    def save(self, stdout: Path | None, stderr: Path | None) -> None:
        if not self.hangs.is_set() or not self.answers:
            self.hangs.set()
            self.ends.wait(60)
        elif stdout is not None:
            self.kept = stdout.read_bytes()


@pytest.fixture
def logs(tmp_path: Path) -> tuple[LogFile, LogFile]:
    return LogFile(tmp_path / "stdout"), LogFile(tmp_path / "stderr")


@pytest.mark.parametrize("answers", [True, False])
def test_a_storage_that_was_away_gets_the_end_of_the_log_and_none_is_waited_for_long(
    logs: tuple[LogFile, LogFile], answers: bool
) -> None:
    said: list[str] = []
    storage = Storage(answers)
    uploader = LogUploader(*logs, storage.save, said.append)
    logs[0].append(b"first\n")
    uploader.start()
    wait_for(storage.hangs.is_set, "the first upload")
    logs[0].append(b"last\n")

    uploader.finish(2 if not answers else 10)

    storage.ends.set()
    if answers:
        assert (b"last" in storage.kept, said) == (True, [])
    else:
        assert said == ["the step's logs could not be uploaded within 2 s"]
