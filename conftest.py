"""Fixtures for the whole workspace; a member that is tested alone may lack the embedded stack."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import pytest

pytest_plugins = ["s3_server", "airflow_versions", "browser"]
if find_spec("embedded"):
    pytest_plugins.append("embedded.testing")


def pytest_configure(config: pytest.Config) -> None:
    """Keep xdist from starting with the files of many tests, which are the quick ones."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let files of tests on a real Airflow go first where several workers share the files.

    They take minutes; begun last, one of them keeps one worker busy while the others have ended.
    """
    if not hasattr(config, "workerinput"):
        return
    long = Counter(item.path for item in items if "stack" in getattr(item, "fixturenames", ()))
    items.sort(key=lambda item: -long[item.path])
