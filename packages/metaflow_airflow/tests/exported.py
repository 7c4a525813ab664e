"""Flows of the tests on their way to a DAG, without Airflow's or Metaflow's servers."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

from metaflow_airflow.graph import Decorator, Graph
from metaflow_airflow.plan.dag import Plan
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render

DEPLOYMENT = Deployment(
    script="flow.py",
    code="s3://b/c",
    code_sha="3f9c",
    datastore_root="s3://b",
    options=("--metadata=service",),
    decorators=("card",),
    owner="ann",
    production_token="flow-0-abcd",
    environment={"METAFLOW_CARD_S3ROOT": "s3://b/cards"},
)
POD = Decorator("kubernetes", {"image": "steps:1", "cpu": 1, "memory": 4096, "disk": 10240})


def everywhere(graph: Graph, *decorators: Decorator) -> Graph:
    """The graph as `--with` would have it."""
    steps = {
        name: replace(step, decorators=(*step.decorators, *decorators))
        for name, step in graph.steps.items()
    }
    return replace(graph, steps=steps)


def load(plan: Plan, folder: Path) -> Any:
    """The DAG that Airflow parses from the plan's file."""
    path = folder / f"{plan.flow}.py"
    path.write_text(render(plan))
    return runpy.run_path(str(path))["dag"]
