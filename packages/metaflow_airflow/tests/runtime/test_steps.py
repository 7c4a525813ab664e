"""Steps of every shape by the launcher alone; on Airflow they are compared with a local run."""

from __future__ import annotations

from .support import LauncherRun, Platform


def test_a_foreach_tells_its_cardinality_a_switch_its_choice(platform: Platform) -> None:
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

    found = platform.run_artifacts(f"ShapesFlow/{run.run_id}")
    assert found["collect[]"]["all_labels"] == [["x0@0"], ["y0@0", "y1@1"]]
    assert found["both[]"]["sides"] == ["left", "right"]
    assert found["both[]"]["from_right"] == 14
    assert found["end[]"]["gone"] == "direct"
