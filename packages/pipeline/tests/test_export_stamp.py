"""What was exported last: a file that is cut short, or is none, means that nothing was."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline.flows import FLOWS
from pipeline.targets.export import Export


@pytest.fixture
def target(tmp_path: Path) -> Any:
    folder = tmp_path / "packages" / "ml_flows" / "src" / "ml_flows"
    folder.mkdir(parents=True)
    return SimpleNamespace(
        environment=dict, export_options=(), chain=False, flows_folder=folder, flow_dag=str,
        changed=lambda file: 0.0, export_stamp=tmp_path / "stamp.json",
    )  # fmt: skip


def run(target: Any) -> list[str]:
    export = Export(target)
    export._export = lambda flow: None  # type: ignore[method-assign]
    export.start()
    return export.finish(10)


@pytest.mark.parametrize("cut", ["", '{"train_trip_du', "[]"])
def test_a_stamp_that_was_cut_short_exports_anew(target: Any, cut: str) -> None:
    every = [flow.stem for flow in FLOWS]
    assert run(target) == every
    assert run(target) == []

    target.export_stamp.write_text(cut)

    assert run(target) == every
    assert run(target) == []


def test_flows_that_another_dag_starts_are_exported_anew_without_triggers(target: Any) -> None:
    run(target)
    target.chain = True

    assert run(target) == [flow.stem for flow in FLOWS]
    assert run(target) == []
