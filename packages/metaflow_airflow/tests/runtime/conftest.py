"""One datastore for the tests of the launcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_server import S3Server

from .running import nothing_is_left
from .support import LauncherRun, Platform


@pytest.fixture(scope="session")
def platform(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A datastore on a real S3 server, and local metadata."""
    directory = tmp_path_factory.mktemp("platform")
    (directory / "host").mkdir()
    return Platform(s3_server, directory)


@pytest.fixture
def fresh(platform: Platform) -> Iterator[LauncherRun]:
    """A run of which nothing has run yet; after the test nothing of its steps may be left."""
    with nothing_is_left(platform):
        yield LauncherRun(platform, "TroubleFlow", "trouble.py")
