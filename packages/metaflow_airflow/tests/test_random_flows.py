"""For any valid graph: each step once, after all that it takes input from, in a file that loads."""

import runpy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow.lint import linter
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Body, Items
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render

from .conftest import load_flow
from .random_flows import random_flow

DEPLOYMENT = Deployment(
    script="flow.py", code="s3://b/c", code_sha="c", datastore="s3", datastore_root="s3://b"
)


@st.composite
def flows(draw):
    def choose(least, most):
        return draw(st.integers(least, most))

    return random_flow("Random", choose, featured=draw(st.booleans()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("random")


def read(made, folder):
    path = folder / "flow.py"
    path.write_text(made.source)
    flow = load_flow(path)
    linter.run_checks(flow._graph)  # the generator's flows are ones that Metaflow takes
    return read_graph(flow)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(made=flows())
def test_graph_plan_and_file_hold_every_step_once_and_in_order(folder, made):
    graph = read(made, folder)
    assert {name: list(step.next) for name, step in graph.steps.items()} == {
        name: list(dict.fromkeys(after)) for name, after in made.edges.items()
    }
    assert {name: step.depth for name, step in graph.steps.items()} == made.depths

    plan = assemble(graph, DEPLOYMENT)
    _check_order(plan, graph)

    text = render(plan)
    assert text == render(plan)
    _check_dag(_load(text, folder), graph, plan)


def _check_order(plan, graph):
    """Blocks come after what they depend on, steps in a body after those before them."""
    seen = set()
    for block in plan.blocks:
        if isinstance(block, Items):
            assert block.foreach in seen
            seen.add(block.name)
            continue
        for step in block.steps if isinstance(block, Body) else [block]:
            assert step.name not in seen, "twice"
            assert set(step.after) == set(graph[step.name].previous)
            assert set(step.after) <= seen, f"{step.name} stands before {step.after}"
            assert step.each == (graph[step.name].scope or (None,))[-1]
            if step.each and graph[step.each].depth:
                assert Items(step.each).name in seen
            seen.add(step.name)
    assert set(graph.steps) <= seen


def _load(text, folder):
    """The DAG that the file makes."""
    path = folder / "dag.py"
    path.write_text(text)
    return runpy.run_path(str(path))["dag"]


def _check_dag(dag, graph, plan):
    items = {block.name for block in plan.blocks if isinstance(block, Items)}
    assert set(dag.task_ids) == {*graph.steps, *items}
    dag.check_cycle()
    for step in graph.steps.values():
        task = dag.get_task(step.name)
        # What a step maps over stands before it too, though it may not be its input.
        above = task.get_flat_relative_ids(upstream=True)
        assert set(step.previous) <= set(above), step.name
        assert (task.get_closest_mapped_task_group() is not None or task.is_mapped) == bool(
            step.scope
        )
