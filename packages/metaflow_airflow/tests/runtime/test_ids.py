"""Runs, tasks and attempts: the arithmetic between Airflow's tries and Metaflow's attempts."""

from __future__ import annotations

import itertools
import re

import pytest
from metaflow_airflow.wire import ids


def test_a_run_has_one_id_and_no_two_runs_share_it() -> None:
    assert ids.run_id("flow", "manual__1") == ids.run_id("flow", "manual__1")
    pairs = [("a", "bc"), ("ab", "c"), ("a", "b"), ("b", "a"), ('a"', "b"), ("a", '"b')]
    assert len({ids.run_id(*pair) for pair in pairs}) == len(pairs)
    assert re.fullmatch(r"airflow-[0-9a-f]{16}", ids.run_id("flow", "scheduled__2026-01-01T00:00"))


def test_task_ids_tell_runs_steps_items_and_generations_apart() -> None:
    assert re.fullmatch(r"t-[0-9a-f]{12}", ids.task_id("airflow-1", "train"))
    assert re.fullmatch(r"t-[0-9a-f]{12}-2-5\.g1", ids.task_id("airflow-1", "train", (2, 5), 1))
    names = [("airflow-1", "a"), ("airflow-1", "b"), ("airflow-2", "a"), ("airflow-1", "a-1")]
    paths = [(), (0,), (1,), (11,), (1, 1), (1, 10), (11, 0), (0, 0, 0)]
    every = [
        ids.task_id(run, step, path, generation)
        for run, step in names
        for path in paths
        for generation in range(12)
    ]
    assert len(set(every)) == len(every)


def test_tasks_of_runs_before_ids_were_unique_are_found_by_their_names_of_then() -> None:
    assert ids.former_task_id(ids.task_id("airflow-1", "train")) == "t"
    assert ids.former_task_id(ids.task_id("airflow-1", "train", (2, 5))) == "t-2-5"


def test_ids_go_through_metaflows_lists_and_are_no_integers() -> None:
    from metaflow.util import compress_list, decompress_list

    run = ids.run_id("flow", "run")
    specs = [
        f"{run}/step/{ids.task_id(run, 'step', (i, k), 1)}" for i in range(3) for k in range(30)
    ]
    assert decompress_list(compress_list(specs)) == specs
    assert decompress_list(",".join(specs)) == specs
    assert not any(part.isnumeric() for spec in specs for part in spec.split("/"))


def test_parameters_have_one_id_whatever_their_order() -> None:
    assert ids.parameters_task_id({"a": 1, "b": [2]}) == ids.parameters_task_id({"b": [2], "a": 1})
    values: list[dict[str, object]] = [{}, {"a": 1}, {"a": "1"}, {"a": None}, {"b": 1}, {"a": [1]}]
    assert len({ids.parameters_task_id(value) for value in values}) == len(values)


def test_the_docstrings_table() -> None:
    """The table in ids.py, row by row."""
    text = ids.__doc__ or ""
    rows = re.findall(
        r"\| (\d+) +\| (\d+) +\| (\d+) +\| (\S+), (\d) +\| (-?\d+) +\| (.+?) +\|", text
    )
    assert len(rows) == 8
    for try_number, max_tries, begin, task, attempt, last, runs in rows:
        life = ids.life(
            try_number=int(try_number), max_tries=int(max_tries), retries=4, user_retries=1
        )
        assert ids.next_generation("t", life.generation) == task
        assert (life.attempt, life.max_user_code_retries) == (int(attempt), int(last))
        assert life.cleared == (int(begin) > 0)
        assert ("fallback" in runs) == (life.attempt > life.max_user_code_retries)


def _lives(retries: int, clears: list[int]) -> list[tuple[int, int, int]]:
    """(try_number, max_tries, tries in this life) as Airflow counts them.

    Args:
        clears: how many tries each life runs before the task is cleared.
    """
    found = []
    try_number, max_tries = 0, retries
    for tries in clears:
        for number in range(min(tries, retries + 1)):
            try_number += 1
            found.append((try_number, max_tries, number))
        max_tries = try_number + retries
    return found


@pytest.mark.parametrize("user_retries", range(5))
@pytest.mark.parametrize("fallback_tries", [0, 3])
def test_every_life_runs_the_steps_code_as_often_as_it_may(
    user_retries: int, fallback_tries: int
) -> None:
    retries = user_retries + fallback_tries
    for clears in itertools.product(range(1, retries + 2), repeat=3):
        seen = set()
        previous = (0, -1)
        for try_number, max_tries, number in _lives(retries, [*clears, 9, 9]):
            life = ids.life(
                try_number=try_number,
                max_tries=max_tries,
                retries=retries,
                user_retries=user_retries,
            )
            # Never the same attempt of a task twice, never one that Metaflow does not know, no gap.
            assert (life.generation, life.attempt) not in seen
            seen.add((life.generation, life.attempt))
            assert 0 <= life.attempt < ids.MAX_ATTEMPTS
            assert (life.generation, life.attempt) in {
                (previous[0], previous[1] + 1),
                (previous[0] + 1, 0),
            }
            previous = (life.generation, life.attempt)
            # @catch's rule: the fallback runs when the attempt is past the user's retries.
            runs_fallback = life.attempt > life.max_user_code_retries
            assert runs_fallback == (number > user_retries)


def test_other_retries_than_max_tries_was_made_of() -> None:
    """The flow was exported again, with more retries or fewer, while the run was under way."""
    for try_number, max_tries, retries, user_retries in itertools.product(
        range(1, 30), range(30), range(9), range(9)
    ):
        if user_retries > retries:
            continue
        life = ids.life(
            try_number=try_number,
            max_tries=max_tries,
            retries=retries,
            user_retries=user_retries,
        )
        assert life.generation * 6 + life.attempt == try_number - 1
        if user_retries == retries or try_number == 1:
            assert life.attempt <= life.max_user_code_retries


def test_a_running_task_that_is_cleared_gets_no_fallback_beyond_its_retries() -> None:
    """Airflow leaves max_tries as it was then."""
    life = ids.life(try_number=6, max_tries=4, retries=4, user_retries=1)
    assert life.attempt <= life.max_user_code_retries
    assert life.cleared


def test_tries_count_from_one() -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        ids.life(try_number=0, max_tries=0, retries=0, user_retries=0)
