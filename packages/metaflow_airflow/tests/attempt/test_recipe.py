"""What a try asks for, runs, skips or refuses, and what comes of it, wherever it runs."""

from dataclasses import replace

import pytest
from metaflow_airflow.attempt import recipe
from metaflow_airflow.attempt.inputs import Reference, Upstream, count_items
from metaflow_airflow.attempt.recipe import (
    Done,
    Failed,
    Need,
    Refuse,
    Run,
    Skip,
    needed,
    too_many_items,
)
from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.attempt.tries import Try, begin_of_life, life_record
from metaflow_airflow.plan.step import Deployment, PlannedStep
from metaflow_airflow.wire import ids
from metaflow_airflow.wire.task import StepResult

START = StepDefinition(
    flow="Flow",
    deployment=Deployment("flow.py", "s3://code", "0" * 40, "s3", "s3://root"),
    step=PlannedStep("start"),
    upstream=(),
    depth=0,
    may_skip=False,
    retries=0,
)
RUN = ids.run_id("Flow", "manual")
PATHSPEC = f"{RUN}/start/{ids.task_id(RUN, 'start')}"
THIS = Try("Flow", "manual", "start", -1, 1, 0, (), {}, frozenset({"rate"}))


def step(name, *upstream, depth=0, may_skip=False):
    planned = PlannedStep(name, after=tuple(each.step for each in upstream))
    return replace(START, step=planned, upstream=upstream, depth=depth, may_skip=may_skip)


def decide(definition, this, found):
    return recipe.decide(definition, this, found)


def conclude(definition, result, **more):
    task = decide(START, THIS, []).task
    return recipe.conclude(definition, THIS, task, result, **more)


def result(**said):
    return StepResult(**{"ok": True, "exit_code": 0} | said)


def test_a_try_needs_the_task_instance_of_its_item_of_its_parent_or_all():
    same, above, root, below = (Upstream(f"at_{depth}", depth) for depth in (2, 1, 0, 3))
    definition = step("work", same, above, root, below, depth=2, may_skip=True)
    this = replace(THIS, map_index=7, path=(1, 4), parent=1)

    assert needed(definition, this) == [
        Need("at_2", 7, may_skip=True),
        Need("at_1", 1, may_skip=True),
        Need("at_0", -1, may_skip=True),
        Need("at_3", None, may_skip=True),
    ]


def test_a_parameter_that_the_flow_does_not_have_is_refused_by_its_first_step():
    this = replace(THIS, params={"rate": 1, "rat": 2, "metaflow.resume": None})

    refused = decide(START, this, [])

    assert isinstance(refused, Refuse)
    assert "triggered with rat: flow Flow has no such parameter (it has: rate)" in refused.sentence
    after = step("end", Upstream("start", 0))
    assert isinstance(decide(after, this, [[Reference("r/start/t")]]), Run)


def test_a_step_that_was_not_chosen_is_skipped_with_the_choice():
    definition = step("small", Upstream("size", 0, switch=True), may_skip=True)

    assert decide(definition, THIS, [[Reference("r/size/t", choice="big")]]) == Skip(
        "small was not chosen (chosen: big)"
    )
    chosen = decide(definition, THIS, [[Reference("r/size/t", choice="small")]])
    assert isinstance(chosen, Run)
    assert chosen.task.input_paths == ("r/size/t",)


def test_items_are_for_airflow_only_where_it_maps_over_what_the_task_returns():

    made = conclude(START, result(cardinality=2), most_items=2)
    assert [each["label"] for each in made.items] == ["0", "1"]
    assert conclude(START, result(cardinality=2)).items is None
    nested = step("inner", Upstream("start", 0), depth=1)
    assert conclude(nested, result(cardinality=9), most_items=2).items is None


def test_values_of_items_travel_once():
    found = result(cardinality=2, values=("a", "b"))

    made = conclude(START, found, most_items=2)
    assert [each["label"] for each in made.items] == ["item=a", "item=b"]
    assert made.outcome.values == ()
    assert conclude(START, found).outcome.values == ("a", "b")


def test_an_item_in_a_pod_is_called_as_its_foreach_step_or_the_step_before_it_says():
    first = step("first", Upstream("start", 0), depth=1)
    first = replace(first, step=replace(first.step, each="start"))
    second = step("second", Upstream("other", 0), Upstream("first", 1), depth=1)
    this = replace(THIS, map_index=1, path=(1,))
    start = Reference("r/start/t", cardinality=2, values=("a", "b"))
    before = Reference("r/first/t", path=(1,), map_index=1, label="item=b")

    assert recipe.label_of(first, this, [[start]]) == "item=b"
    assert recipe.label_of(second, this, [[start], [before]]) == "item=b"
    assert recipe.label_of(first, this, [[replace(start, values=())]]) is None
    assert recipe.label_of(first, replace(this, label="item=c"), [[start]]) == "item=c"


def test_too_many_items_are_refused_before_there_is_a_list():

    refused = conclude(START, result(cardinality=10**15), most_items=1024)

    assert isinstance(refused, Failed)
    assert not refused.retry
    assert f"made {10**15} items for its foreach, but Airflow maps over at most" in refused.sentence
    nested = [Reference("r/inner/t", (n,), n, cardinality=10**15) for n in range(3)]
    assert too_many_items("inner", count_items(nested), 1024)
    assert not too_many_items("inner", 1024, 1024)


@pytest.mark.parametrize(("code", "retry"), [(1, True), (137, True), (202, False), (78, False)])
def test_a_failure_says_whether_another_attempt_is_worth_it(code, retry):

    failed = conclude(replace(START, retries=1), result(ok=False, exit_code=code, error="why"))

    assert failed == Failed(f"Step {PATHSPEC} failed: exit code {code}: why", retry=retry)


def test_what_an_attempt_says_is_what_the_next_steps_read():

    end = conclude(START, result(choice="big"))

    assert isinstance(end, Done)
    assert Reference.from_xcom(end.outcome.to_xcom()) == end.outcome
    assert (end.outcome.pathspec, end.outcome.choice) == (PATHSPEC, "big")


def test_a_try_that_follows_a_failure_is_its_retry_and_any_other_was_cleared():
    retries = 2
    failed = life_record(replace(THIS, try_number=1, max_tries=retries), retries, own=True)
    again = life_record(replace(THIS, try_number=5, max_tries=3 + retries), retries, own=False)

    assert failed == {"try": 1, "begin": 0, "failed": [1]}
    assert again["failed"] == [1, 2, 3, 4]
    assert begin_of_life(1, retries, None) == 0
    assert begin_of_life(2, retries, failed) == 0
    assert begin_of_life(3, retries, failed) == 2  # try 2 left nothing: it ended well
    assert begin_of_life(6, retries, again) == 3
    beyond = life_record(replace(THIS, try_number=6, max_tries=5), retries, own=True)
    assert begin_of_life(7, retries, beyond) == 6


def test_a_start_that_is_cleared_has_the_parameters_of_the_code_that_it_runs():
    """Those of the run's first life hold the graph and the defaults of the code of that time."""
    other = replace(START, deployment=replace(START.deployment, code_sha="1" * 40))

    def parameters(definition, **life):
        return decide(definition, replace(THIS, **life), []).task.init.task_id

    cleared = {"try_number": 2, "max_tries": 1}
    assert parameters(START) == parameters(other)
    assert parameters(START, **cleared) == parameters(START, try_number=3, max_tries=2)
    assert len({parameters(START), parameters(START, **cleared), parameters(other, **cleared)}) == 3
