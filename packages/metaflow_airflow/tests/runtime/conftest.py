"""One S3 server for the tests of the launcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .running import nothing_is_left
from .s3_server import s3_server
from .support import LauncherRun, Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A datastore on a real S3 server, and local metadata."""
    directory = tmp_path_factory.mktemp("platform")
    (directory / "host").mkdir()
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield Platform(server, directory)


@pytest.fixture
def fresh(platform: Platform) -> Iterator[LauncherRun]:
    """A run of which nothing has run yet; after the test nothing of its steps may be left."""
    with nothing_is_left(platform):
        yield LauncherRun(platform, "TroubleFlow", "trouble.py")
