"""All graph shapes: what a flow leaves behind on Airflow is what `flow.py run` leaves behind."""

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack


# A linear flow, branches, a plain foreach in a foreach, a switch: test_everywhere.py.
CASES = [
    ("names", {}),
    ("nested", {"size": 2}),
    ("single", {}),
    ("odd", {}),
    ("switches", {"way": "fan"}),
    ("switches", {"way": "deep"}),
    ("switches", {"way": "deep", "inner": "y"}),
    ("switches", {"way": "out"}),
    ("maybe_fan", {"big_from": 2}),
    ("maybe_fan", {"big_from": 9}),
    ("looped", {}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_artifacts_are_those_of_a_local_run(bridge, name, parameters):
    path = FLOWS / f"{name}.py"
    dag_id = bridge.export(path)
    run_id = bridge.start(dag_id, parameters)
    local = bridge.local_artifacts(path, parameters)

    on_airflow = bridge.artifacts(f"{dag_id}/{bridge.wait(dag_id, run_id)}")

    assert on_airflow == local
