"""All graph shapes: what a flow leaves behind on Airflow is what `flow.py run` leaves behind."""

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack


EVERYWHERE = [
    ("linear", "names", {}),
    ("branches", "branches", {}),
    ("nested foreach", "nested", {"size": 2}),
    ("switch", "switches", {"way": "fan"}),
    ("retries, catch", "tried", {}),
]
"""What is run on each version of Airflow, and what it shows there."""

CASES = [
    *((name, parameters) for _, name, parameters in EVERYWHERE),
    ("single", {}),
    ("odd", {}),
    ("switches", {"way": "deep"}),
    ("switches", {"way": "deep", "inner": "y"}),
    ("switches", {"way": "out"}),
    ("maybe_fan", {"big_from": 2}),
    ("maybe_fan", {"big_from": 9}),
    ("looped", {}),
]
_MARKS = {name: pytest.mark.every_airflow(shows) for shows, name, _ in EVERYWHERE}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        pytest.param(*case, marks=_MARKS[case[0]] if number < len(EVERYWHERE) else ())
        for number, case in enumerate(CASES)
    ],
)
def test_artifacts_are_those_of_a_local_run(bridge, tmp_path, name, parameters):
    path = FLOWS / f"{name}.py"
    dag_id = bridge.export(path)
    run_id = bridge.start(dag_id, parameters)
    options = [f"--{key}={value}" for key, value in parameters.items()]
    # The datastore is the test's way to look, not what it looks at; a folder is the quickest.
    bridge.flow(path, "--datastore=local", "run", f"--run-id-file={tmp_path / 'id'}", *options)
    local = bridge.artifacts(f"{dag_id}/{(tmp_path / 'id').read_text()}")

    on_airflow = bridge.artifacts(f"{dag_id}/{bridge.wait(dag_id, run_id)}")

    assert on_airflow == local
