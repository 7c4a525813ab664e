"""Which Metaflow task each iteration of a loop is, try by try."""

from dataclasses import replace

from metaflow_airflow.wire.iterations import (
    first_iteration,
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


def test_an_iteration_has_retries_and_attempts_of_its_own():
    first = first_iteration(LOOP)
    second = first.after(task_at(TASK, LOOP, first, 4), 4, None)

    tasks = [task_at(TASK, LOOP, second, failed, failed) for failed in (0, 1, 2)]
    assert [(task.task_id, task.attempt) for task in tasks] == [
        ("t-a.i1", 0), ("t-a.i1", 1), ("t-a.i1", 2),
    ]  # fmt: skip
    runs_users_code = [task.attempt <= task.max_user_code_retries for task in tasks]
    assert runs_users_code == [True, True, False]  # then whatever falls back
    # Metaflow knows six attempts of a task, and clears come on top of retries.
    later = task_at(TASK, LOOP, second, 7, 1)
    assert (later.task_id, later.attempt, later.max_user_code_retries) == ("t-a.i1.g1", 1, 1)


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
