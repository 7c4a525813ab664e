"""Steps of every shape give what `flow.py run` gives."""

from __future__ import annotations

from pathlib import Path

from .support import LauncherRun, Platform


def test_every_shape_gives_the_artifacts_of_a_bare_run(platform: Platform, tmp_path: Path) -> None:
    run = LauncherRun(platform, "ShapesFlow", "shapes.py", {"scale": 7})
    start, _ = run.succeed("start")
    sides = [run.succeed(name, [start])[0] for name in ("left", "right")]
    both, _ = run.succeed("both", sides)
    fan, result = run.succeed("fan", [both])
    assert result.cardinality == 2
    gathered = []
    for i in range(2):
        outer, result = run.succeed("outer", [fan], (i,), split_index=i)
        assert result.cardinality == i + 1
        inner = [
            run.succeed("inner", [outer], (i, k), split_index=k)[0]
            for k in range(result.cardinality)
        ]
        gathered.append(run.succeed("gather", inner, (i,))[0])
    collect, _ = run.succeed("collect", gathered)
    decide, result = run.succeed("decide", [collect])
    assert result.choice == "direct"
    assert result.cardinality is None
    direct, result = run.succeed("direct", [decide])
    assert result.choice is None
    run.succeed("end", [direct])

    run_id_file = tmp_path / "id"
    platform.flow_command("shapes.py", "run", "--scale=7", f"--run-id-file={run_id_file}")
    expected = platform.run_artifacts(f"ShapesFlow/{run_id_file.read_text()}")
    found = platform.run_artifacts(f"ShapesFlow/{run.run_id}")
    assert found.keys() == expected.keys()
    for task, artifacts in expected.items():
        for name in artifacts.keys() | found[task].keys():
            assert found[task].get(name) == artifacts.get(name), (task, name)
    assert found["collect[]"]["all_labels"] == [["x0@0"], ["y0@0", "y1@1"]]
