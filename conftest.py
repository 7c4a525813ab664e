"""Fixtures for the whole workspace; a member that is tested alone may lack the embedded stack."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest_plugins = ["s3_server", "airflow_versions", "browser"]
if find_spec("embedded"):
    pytest_plugins.append("embedded.testing")

_WITHOUT_STACK = pytest.StashKey[set[Path]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep xdist from starting with the files of many tests, which are the quick ones."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let files of tests on a real Airflow go first where several workers share the files, and
    those of the whole workspace next.

    They take minutes; begun last, one of them keeps one worker busy while the others have ended.
    """
    if not hasattr(config, "workerinput"):
        return
    long = Counter(item.path for item in items if "stack" in getattr(item, "fixturenames", ()))
    workspace = config.rootpath / "tests"
    items.sort(key=lambda item: (-long[item.path], workspace not in item.path.parents))
    config.stash[_WITHOUT_STACK] = {item.path for item in items} - long.keys()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take a worker's stack down after the files that need it: idle, it costs a tenth of a core."""
    stack_tests_are_over = item.path in item.config.stash.get(_WITHOUT_STACK, ())
    if stack_tests_are_over and (testing := sys.modules.get("embedded.testing")):
        testing.take_down(item.config)
