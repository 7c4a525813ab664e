"""A step is done when Metaflow holds it for done: exit code 0 proves nothing."""

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

HOW = {
    "sys.exit": "it ended with exit code 0, but not at its own end",
    "os._exit": "its process ended with exit code 0 before Metaflow had stored the task",
    "return": "it returned without self.next(), which was to lead to join",
}


def test_the_step_that_left_early_is_the_one_that_fails(bridge):
    dag_id = bridge.export(FLOWS / "early.py")
    runs = {how: bridge.start(dag_id, {"how": how}) for how in HOW}
    for how, reason in HOW.items():
        bridge.wait(dag_id, runs[how], expect="failed")
        states = bridge.states(dag_id, runs[how])
        assert (states["body[0]"], states["body[1]"]) == ("success", "failed"), how
        assert states["join"] == "upstream_failed"
        [tries] = [
            task["try_number"]
            for task in bridge.client.task_instances(dag_id, runs[how])
            if (task["task_id"], task["map_index"]) == ("body", 1)
        ]
        assert tries == 1, "as under run, it is not tried again"
        log = "\n".join(bridge.log(dag_id, runs[how], "body", map_index=1))
        assert f"step body left early: {reason}" in log
