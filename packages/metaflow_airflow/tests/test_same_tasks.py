"""The plan is the truth: `explain` and the DAG that Airflow parses have the same tasks."""

import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Items
from metaflow_airflow.plan.explanation import explain
from metaflow_airflow.plan.step import FORMAT

from .conftest import FLOWS, load_flow
from .exported import DEPLOYMENT, POD, everywhere, load

OLD = Path(__file__).parent / "files" / "format_1"
# A flow under a mutator is one only where Metaflow's command line runs it.
FILES = [path for path in sorted(FLOWS.glob("*.py")) if "(FlowMutator)" not in path.read_text()]


@pytest.mark.parametrize("pods_on", ["", "triggerer", "worker"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_explain_and_the_dag_list_the_same_tasks(path, pods_on, tmp_path):
    graph = read_graph(load_flow(path))
    if pods_on:
        graph = everywhere(graph, POD)
    plan = assemble(graph, DEPLOYMENT, pods_on=pods_on or "triggerer")

    dag = load(plan, tmp_path)

    said = re.findall(r"^ +(?:step|task|sensor) ([^\s,]+)", explain(plan), re.MULTILINE)
    assert sorted(said) == sorted(plan.task_ids()) == sorted(dag.task_ids)
    dag.check_cycle()
    rules = {step.name: step.trigger_rule for step in plan.steps()}
    rules |= {block.name: block.trigger_rule for block in plan.blocks if isinstance(block, Items)}
    assert {name: dag.get_task(name).trigger_rule for name in rules} == rules


@pytest.mark.parametrize(
    ("name", "decorators"),
    [
        ("maybe_fan", [Decorator("timeout", {"seconds": 90})]),
        ("nested", [POD]),
        ("hooked", [POD]),
        ("switches", []),
    ],
)
def test_a_file_of_the_format_before_makes_the_same_dag(flow, name, decorators, tmp_path):
    new = load(assemble(everywhere(read_graph(flow(name)), *decorators), DEPLOYMENT), tmp_path)
    old = runpy.run_path(str(OLD / f"{name}.py"))["dag"]

    assert {t.task_id: _facts(t) for t in old.tasks} == {t.task_id: _facts(t) for t in new.tasks}


def test_a_word_of_a_newer_bridge_is_refused_by_its_name():
    from airflow.sdk import DAG
    from metaflow_airflow.operators.flow import MetaflowFlow

    with DAG("F"), pytest.raises(BridgeError, match=r"start says conquers.* Upgrade metaflow-air"):
        MetaflowFlow("F", script="f.py", format=FORMAT).step("start", conquers=True)


def _facts(task):
    arguments = dict(getattr(task, "partial_kwargs", vars(task)))
    definition = arguments.get("definition")
    if isinstance(definition, StepDefinition):
        # A flow's end told nobody when that format was written.
        arguments["definition"] = replace(definition, step=replace(definition.step, publishes=()))
    return {
        "class": task.task_type,
        "after": task.upstream_task_ids,
        "rule": task.trigger_rule,
        "mapped": task.is_mapped,
        **{key: arguments.get(key) for key in ("definition", "execution_timeout", "retry_delay")},
    }
