"""What the bridge's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import random_flows
from .fake_airflow import FakeAirflow, serving

FLOWS = Path(__file__).parent / "flows"


def load_flow(path: Path) -> Any:
    """An instance of the flow class that a file defines, as Metaflow itself makes it."""
    from metaflow import FlowSpec

    # Not imported: a file written twice in a second may come from the bytecode of the first.
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(path.read_text(), path, "exec"), vars(module))  # noqa: S102
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, FlowSpec) and value is not FlowSpec
    ]
    assert len(classes) == 1, f"{path} defines {len(classes)} flows"
    return classes[0](use_cli=False)


@pytest.fixture
def flow() -> Callable[[str], Any]:
    """Loads one of the flows in tests/flows by its file's name."""
    return lambda name: load_flow(FLOWS / f"{name}.py")


@pytest.fixture
def write_flow(tmp_path: Path) -> Callable[[str], Any]:
    """Loads a flow from the source of its steps."""

    def load(steps: str) -> Any:
        body = "\n".join(f"    {line}" for line in steps.strip("\n").splitlines())
        path = tmp_path / "written.py"
        path.write_text(f"from metaflow import *\n\n\nclass Written(FlowSpec):\n{body}\n")
        return load_flow(path)

    return load


@pytest.fixture(scope="session")
def random_flow() -> Callable[..., random_flows.RandomFlow]:
    """Makes up flows."""
    return random_flows.random_flow


@pytest.fixture
def airflow() -> Iterator[FakeAirflow]:
    """An Airflow that knows nothing yet."""
    with serving(FakeAirflow()) as found:
        yield found
