"""Which Metaflow task each iteration of a loop is, try by try."""

from dataclasses import replace

from metaflow_airflow.wire.iterations import (
    earlier_tries,
    first_iteration,
    is_last_try,
    task_at,
)
from metaflow_airflow.wire.task import Clone, Init, Loop, StepTask

LOOP = Loop(first="t-a", most=10, number=0, begin=0, retries=2, user_retries=1)
TASK = StepTask(
    flow="Flow", script="flow.py", code_url="s3://code", code_sha="0", datastore="s3",
    datastore_root="s3://root", step="spin", run_id="airflow-1", task_id="t-a", attempt=0,
    input_paths=("airflow-1/start/t-b",), split_index=3, loop=LOOP,
)  # fmt: skip


def test_each_iteration_is_a_task_of_its_own_that_takes_the_one_before_it():
    first = first_iteration(LOOP)
    zero = task_at(TASK, LOOP, first, 0)
    one = task_at(TASK, LOOP, first.after(zero, 0, None), 0)

    assert (zero.task_id, zero.input_paths, zero.split_index) == ("t-a", TASK.input_paths, 3)
    assert (one.task_id, one.input_paths) == ("t-a.i1", ("airflow-1/spin/t-a",))
    assert (one.split_index, one.loop, zero.loop) == (None, None, None)


def test_the_first_step_of_a_flow_writes_its_parameters_once():
    task = replace(TASK, input_paths=(), init=Init("p-1"))
    first = first_iteration(LOOP)
    zero = task_at(task, LOOP, first, 0)

    assert zero.init == Init("p-1")
    assert task_at(task, LOOP, first.after(zero, 0, None), 0).init is None


def test_an_iteration_has_its_retries_from_the_try_that_ended_the_one_before_it():
    loop = replace(LOOP, number=7)
    first = first_iteration(loop)
    third = first.after(task_at(TASK, loop, first, 4), 4, None)

    tasks = [task_at(TASK, loop, third, number) for number in (4, 5, 6)]
    assert [(task.task_id, task.attempt) for task in tasks] == [
        ("t-a.i1", 4), ("t-a.i1", 5), ("t-a.i1.g1", 0),
    ]  # fmt: skip
    runs_users_code = [task.attempt <= task.max_user_code_retries for task in tasks]
    assert runs_users_code == [True, True, False]  # then @catch's fallback
    assert [is_last_try(replace(LOOP, number=n), third) for n in (4, 5, 6)] == [False, False, True]


def test_a_retry_looks_for_what_is_done_in_the_tries_since_the_task_was_cleared():
    loop = replace(LOOP, number=8, begin=5)

    found = list(earlier_tries(TASK, loop, first_iteration(loop)))

    names = [(number, task.task_id, task.attempt) for number, task in found]
    assert names == [(7, "t-a.g1", 1), (6, "t-a.g1", 0), (5, "t-a", 5)]
    cleared = replace(loop, begin=8)
    assert list(earlier_tries(TASK, cleared, first_iteration(cleared))) == []


def test_a_resumed_loop_copies_iterations_until_one_has_run_anew():
    task = replace(TASK, clone=Clone("airflow-0/spin/t-z", inputs_began=5.0))
    first = first_iteration(LOOP)
    zero = task_at(task, LOOP, first, 0)
    copied = first.after(zero, 0, 7.0)
    anew = copied.after(task_at(task, LOOP, copied, 0), 0, None)

    assert zero.clone == task.clone
    assert task_at(task, LOOP, copied, 0).clone == Clone("airflow-0/spin/t-z.i1", inputs_began=7.0)
    assert task_at(task, LOOP, anew, 0).clone is None
    assert task_at(task, LOOP, anew.after(zero, 0, 9.0), 0).clone is None
