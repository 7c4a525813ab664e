"""What the pipeline says at its end."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from pipeline.cli.closing import show_what_next
from pipeline.flows import PREDICT, TRAIN
from pipeline.options import Options
from pipeline.outcome import Outcome, Run
from pipeline.targets.base import Target
from rich.console import Console

AIRFLOW = "http://127.0.0.1:8080"


def closing(name: str, *, kept: bool) -> list[str]:
    target = SimpleNamespace(
        name=name, airflow_url=AIRFLOW, airflow_login=("admin", "secret"), keeps="all is kept",
        environment=dict, state=SimpleNamespace(root=Path("/elsewhere")),
        up_command=lambda stack: f"{stack} up",
    )  # fmt: skip
    outcome = Outcome(
        options=Options(),
        features=[],
        report={
            "train": {"card": "Train/1/evaluate/t"},
            "predict": {"card": "Predict/2/compare/t"},
        },
        runs={flow.dag_id: Run(flow.dag_id, "run 2026+00:00") for flow in (TRAIN, PREDICT)},
    )
    console = Console(width=300)
    with console.capture() as capture:
        show_what_next(cast(Target, target), console, outcome, kept=kept)
    return capture.get().splitlines()


def test_it_ends_with_the_pages_of_runs_and_cards() -> None:
    said = closing("embedded", kept=True)

    run = f"{AIRFLOW}/dags/{TRAIN.dag_id}/runs/run%202026%2B00:00"
    assert f"train     {run}/plugin/metaflow-run" in said
    assert f"  card    {run}/tasks/evaluate/plugin/metaflow-task" in said
    assert sum("plugin/metaflow-" in line for line in said) == 4


def test_it_says_how_to_sign_in_and_no_password() -> None:
    said = "\n".join(closing("compose", kept=False))

    assert "user admin, password: STACK_STATE=/elsewhere" in said
    assert "stack login --target compose" in said
    assert "The stack is stopped; its state is kept. To look at it: STACK_STATE=/elsewhere" in said
    assert "secret" not in said
