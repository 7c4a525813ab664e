"""Which task a step of a resumed run may copy."""

from dataclasses import replace

import pytest
from metaflow_airflow.attempt.inputs import Reference, Upstream
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try, step_task
from metaflow_airflow.plan.step import Deployment, PlannedStep
from metaflow_airflow.wire import ids
from metaflow_airflow.wire.resumption import Resume
from metaflow_airflow.wire.task import Clone

DEPLOYMENT = Deployment("flow.py", "s3://code", "0" * 40, "s3", "s3://root")
SCORE = StepDefinition(
    flow="Flow",
    deployment=DEPLOYMENT,
    step=PlannedStep("score", after=("train",), each="start"),
    upstream=(Upstream("train", depth=1),),
    depth=1,
    may_skip=False,
    retries=0,
)
ORIGIN = Resume("airflow-1")


def task(*copied, resume=ORIGIN, definition=SCORE, **this):
    conf = resume.to_conf() if resume else {}
    values = {
        "dag_id": "Flow",
        "dag_run_id": "manual",
        "task_id": definition.step.name,
        "map_index": 2,
        "try_number": 1,
        "max_tries": 0,
        "path": (2,),
        "params": {"rate": 1, **conf},
    }
    inputs = [Reference(f"airflow-2/train/{n}", copied=began) for n, began in enumerate(copied)]
    return step_task(definition, Try(**{**values, **this}), inputs)


def test_a_step_after_copies_may_copy_the_task_of_its_item():
    found = task(5.0, 7.0)
    assert found.clone == Clone(
        f"airflow-1/score/{ids.task_id('airflow-1', 'score', (2,))}", inputs_began=7.0
    )
    assert found.origin_run_id == "airflow-1"


@pytest.mark.parametrize(
    ("copied", "changes"),
    [
        ((5.0, None), {}),
        ((5.0,), {"resume": replace(ORIGIN, rerun="score")}),
        ((5.0,), {"try_number": 2, "max_tries": 1}),
        ((5.0,), {"resume": None}),
    ],
    ids=["an input ran anew", "asked to run again", "cleared", "no resume"],
)
def test_a_step_runs_that(copied, changes):
    assert task(*copied, **changes).clone is None


def test_a_retry_still_copies():
    definition = replace(SCORE, retries=1)
    assert task(5.0, definition=definition, try_number=2, max_tries=1).clone


def test_parameters_are_those_of_the_other_run_unless_some_change():
    start = replace(SCORE, step=PlannedStep("start"), upstream=(), depth=0)
    kept = task(definition=start, path=()).init
    changed = task(definition=start, path=(), resume=replace(ORIGIN, changed=("rate",)))
    assert kept.parameters == changed.init.parameters == {"rate": 1}
    assert (kept.clone, changed.init.clone) == ("airflow-1", None)
    assert changed.clone.parameters == changed.init.task_id
