"""All graph shapes: what a flow leaves behind on Airflow is what `flow.py run` leaves behind."""

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack


def everywhere(shows, name, parameters):
    """A case that is run on each version of Airflow."""
    return pytest.param(name, parameters, marks=pytest.mark.every_airflow(shows))


CASES = [
    everywhere("linear", "names", {}),
    everywhere("branches", "branches", {}),
    everywhere("nested foreach", "nested", {"size": 2}),
    everywhere("switch", "switches", {"way": "fan"}),
    everywhere("retries, catch", "tried", {}),
    ("single", {}),
    ("odd", {}),
    ("switches", {"way": "deep"}),
    ("switches", {"way": "deep", "inner": "y"}),
    ("switches", {"way": "out"}),
    ("maybe_fan", {"big_from": 2}),
    ("maybe_fan", {"big_from": 9}),
    ("looped", {}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES)
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
