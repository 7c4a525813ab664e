import random
from typing import Any

import pytest
from metaflow_airflow.wire.payload import pack, unpack
from metaflow_airflow.wire.task import RESULT_BYTES, StepResult, StepTask, TaskFormatError


def task(**changes):
    given: dict[str, Any] = {
        "flow": "Flow", "script": "flow.py", "code_url": "s3://b/code", "code_sha": "ab",
        "datastore": "s3", "datastore_root": "s3://b", "step": "join",
        "run_id": "airflow-0123456789abcdef", "task_id": "t", "attempt": 0,
    }  # fmt: skip
    return StepTask(**given | changes)


def test_a_task_comes_out_as_it_went_in():
    given = task(input_paths=("run/step/t-0", "run/step/t-1"), env={"BRACES": "{{ x }}"})

    assert StepTask.from_json(unpack(pack(given))) == given


def test_the_same_task_gives_the_same_text():
    assert pack(task()) == pack(task())


def test_a_join_of_ten_thousand_fits_into_one_variable():
    paths = tuple(f"airflow-0123456789abcdef/work/t-{n}" for n in range(10_000))

    assert StepTask.from_json(unpack(pack(task(input_paths=paths)))).input_paths == paths


def test_what_does_not_fit_is_refused_by_the_steps_name():
    noise = random.Random(1)  # noqa: S311
    paths = tuple(f"run/work/{noise.getrandbits(256):x}" for _ in range(5_000))

    with pytest.raises(TaskFormatError, match=r"Step airflow-0123456789abcdef/join/t takes 5000"):
        pack(task(input_paths=paths))


@pytest.mark.parametrize("text", ["", "no base64!", "bm8gZ3ppcA=="])
def test_what_is_no_payload_is_refused(text):
    with pytest.raises(TaskFormatError, match="Not a packed step task"):
        unpack(text)


def test_a_result_fits_into_a_termination_message_however_long_its_error_is():
    result = StepResult(ok=False, exit_code=1, error="ü" * 10_000)

    text = result.to_json(at_most=RESULT_BYTES)

    assert len(text) <= RESULT_BYTES
    assert StepResult.from_json(text).exit_code == 1
    assert len(StepResult.from_json(text).error or "") > 500


def test_a_result_that_is_too_long_is_one_without_its_items_values():
    result = StepResult(ok=True, exit_code=0, cardinality=900, values=("x" * 30,) * 900)

    assert StepResult.from_json(result.to_json()).values == result.values
    short = StepResult.from_json(result.to_json(at_most=RESULT_BYTES))
    assert (short.cardinality, short.values) == (900, None)


def test_a_result_that_is_too_long_keeps_the_datasets_that_it_has_room_for():
    wrote = ("s3://predictions/1.parquet",)
    result = StepResult(
        ok=True, exit_code=0, choice="b", read=("s3://features/x",) * 900, wrote=wrote
    )

    short = StepResult.from_json(result.to_json(at_most=RESULT_BYTES))
    assert (short.choice, short.read, short.wrote) == ("b", None, wrote)
