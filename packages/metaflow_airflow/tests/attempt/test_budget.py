"""Whose a failure is: the step has its retries, what is around it a budget of its own."""

from dataclasses import replace

import pytest
from metaflow_airflow.attempt import recipe
from metaflow_airflow.attempt.recipe import Failed, Run
from metaflow_airflow.plan.step import PlannedStep
from metaflow_airflow.wire import ids
from metaflow_airflow.wire.task import RETRY_COUNT_VARIABLE, StepResult

from .test_recipe import START, THIS

BUDGET = 2


def step(retries=0, user_retries=None, **more):
    user = retries if user_retries is None else user_retries
    planned = PlannedStep("start", retries=retries, user_retries=user, **more)
    return replace(START, step=planned, retries=planned.task_retries, budget=BUDGET)


def at(definition, number, failed=()):
    return replace(THIS, try_number=number, max_tries=definition.granted, failed=failed)


def task_of(definition, this):
    todo = recipe.decide(definition, this, [])
    assert isinstance(todo, Run)
    return todo.task


def failure(definition, this, *, lost=False):
    result = StepResult(ok=False, exit_code=1, error="why", infrastructure=lost or None)
    end = recipe.conclude(definition, this, task_of(definition, this), result)
    assert isinstance(end, Failed)
    return end


def test_a_step_without_retries_fails_for_good_the_first_time_that_it_fails_itself():
    definition = step(retries=0)

    assert not failure(definition, at(definition, 1)).retry
    assert not failure(definition, at(definition, 3)).retry, "two tries were lost before"


def test_a_try_that_was_lost_costs_no_retry_and_says_so():
    definition = step(retries=1)

    first = failure(definition, at(definition, 1), lost=True)
    second = failure(definition, at(definition, 2), lost=True)

    assert (first.retry, first.own) == (True, False)
    assert "the infrastructure lost this try, 1 of 2 that cost the step none" in first.sentence
    assert "lost this try, 2 of 2" in second.sentence
    assert failure(definition, at(definition, 3)).retry, "its own first failure"
    assert not failure(definition, at(definition, 4, failed=(3,))).retry


def test_what_is_lost_beyond_the_budget_counts():
    definition = step(retries=1)

    beyond = failure(definition, at(definition, 3), lost=True)

    assert "the infrastructure has lost more than 2 tries" in beyond.sentence
    assert not failure(definition, at(definition, 4)).retry


@pytest.mark.parametrize(
    ("number", "failed", "fallback", "retry_count"),
    [
        (1, (), False, "0"),
        (2, (), False, "0"),  # lost
        (2, (1,), False, "1"),
        (3, (1,), False, "1"),  # then lost
        (4, (1, 3), True, "2"),
        (4, (), False, "1"),  # lost once too often
        (5, (), True, "2"),
    ],
)
def test_fallbacks_and_retry_count_follow_the_steps_own_failures(
    number, failed, fallback, retry_count
):
    """@retry(times=1) and @catch."""
    definition = step(retries=3, user_retries=1)

    task = task_of(definition, at(definition, number, failed))

    assert (task.attempt > task.max_user_code_retries) == fallback
    assert task.env[RETRY_COUNT_VARIABLE] == retry_count
    assert task.attempt == number - 1, "artifacts of no two tries meet"


def test_a_cleared_task_has_its_budget_anew():
    definition = step(retries=1)
    this = replace(THIS, try_number=4, max_tries=2 + definition.granted, failed=(1, 2, 3))

    life = ids.life(
        try_number=4,
        max_tries=this.max_tries,
        retries=1,
        user_retries=1,
        budget=2,
        failed=(1, 2, 3),
    )
    assert (life.begin, life.failures, life.lost) == (2, 1, ())
    assert not failure(definition, this).retry


def test_where_airflow_does_not_remember_each_try_counts():
    definition = replace(step(retries=1), budget=0)

    assert failure(definition, at(definition, 1, failed=None)).retry
    assert not failure(definition, at(definition, 2, failed=None)).retry


def test_a_lost_try_before_the_sixth_attempt_is_none_of_the_next_generation():
    life = ids.life(
        try_number=8, max_tries=9, retries=7, user_retries=7, budget=2, failed=(1, 2, 3, 4, 5, 6)
    )
    assert (life.generation, life.attempt, life.lost, life.retry_count) == (1, 1, (6,), 0)
    life = ids.life(
        try_number=8, max_tries=9, retries=7, user_retries=7, budget=2, failed=(1, 2, 4, 5, 6, 7)
    )
    assert (life.attempt, life.lost, life.retry_count) == (1, (2,), 1)


def test_a_loop_is_told_which_tries_were_lost():
    definition = step(retries=1, loop=5)

    task = task_of(definition, at(definition, 3, failed=(1,)))

    assert task.loop is not None
    assert task.loop.lost == (1,)
    assert failure(definition, at(definition, 3, failed=(1, 2))).retry, "its launcher counts"
