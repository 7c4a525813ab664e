"""Which exit hooks a run's end calls, wherever its first step runs."""

import pytest
from metaflow_airflow.attempt.inputs import Reference, Upstream
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try, chosen_inputs, step_task
from metaflow_airflow.plan.step import Deployment, ExitHooks, PlannedStep, Pod

START, END = Upstream("start", 0), Upstream("end", 0)
THIS = Try("Flow", "manual", "exit.hooks", -1, 1, 0, (), {"rate": 1})


def hooks(**names):
    return StepDefinition(
        flow="Flow",
        deployment=Deployment("flow.py", "s3://code", "0" * 40, "s3", "s3://root"),
        step=PlannedStep("exit.hooks", pod=Pod(image="steps:1")),
        upstream=(START, END),
        depth=0,
        may_skip=True,
        retries=0,
        hooks=ExitHooks(**names),
    )


def ended(*steps):
    return [(up, [Reference(f"r/{up.step}/t")] if up.step in steps else []) for up in (START, END)]


@pytest.mark.parametrize(
    ("steps", "called"),
    [(("start", "end"), ("cheer",)), (("start",), ("mourn",)), ((), ("mourn",))],
)
def test_the_last_step_decides(steps, called):
    definition = hooks(on_success=("cheer",), on_error=("mourn",))
    inputs, why_not = chosen_inputs(definition, (), ended(*steps))
    task = step_task(definition, THIS, inputs)
    assert not why_not
    assert (task.hooks, task.init, task.clone) == (called, None, None)


def test_a_run_without_a_hook_for_its_end_skips_the_task():
    _, why_not = chosen_inputs(hooks(on_error=("mourn",)), (), ended("start", "end"))
    assert why_not == "no exit hook for a run that succeeded"


def test_a_trigger_reads_the_hooks_of_a_pod_back():
    definition = hooks(on_success=("cheer",), on_error=("mourn",))
    assert StepDefinition.from_json(definition.to_json()) == definition
