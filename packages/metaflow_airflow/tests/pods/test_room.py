"""A pod that waits is not given up while others of its kind have room."""

import math

import pytest
from metaflow_airflow.pods.room import NEEDS_ANNOTATION, Room, needs


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def pod(cpu="1", node="", phase="Pending", **placing):
    asked = {"containers": [{"resources": {"requests": {"cpu": cpu}}}], **placing}
    # What the API and the cluster add differs from what was asked for.
    given = asked | ({"nodeName": node, "containers": [{}, {}]} if node else {})
    return {
        "metadata": {"annotations": {NEEDS_ANNOTATION: needs(asked)}},
        "spec": given,
        "status": {"phase": phase},
    }


def test_none_of_its_kind_has_had_a_node(clock):
    pods = {"waiting": pod(), "smaller": pod("0.5", node="lab", phase="Running")}

    assert Room(pods, clock).seconds_without(pods["waiting"]) == math.inf


def test_while_one_of_its_kind_runs_there_is_room(clock):
    pods = {"waiting": pod(), "running": pod(node="lab", phase="Running")}
    room = Room(pods, clock)

    for clock.seconds in (0.0, 3600.0):
        assert room.seconds_without(pods["waiting"]) == 0


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_time_counts_from_the_last_end_on(clock, phase):
    pods = {"waiting": pod(), "running": pod(node="lab", phase="Running")}
    room = Room(pods, clock)
    assert room.seconds_without(pods["waiting"]) == 0

    pods["running"]["status"]["phase"] = phase
    clock.seconds = 5.0
    assert room.seconds_without(pods["waiting"]) == 5

    del pods["running"]
    clock.seconds = 700.0
    assert room.seconds_without(pods["waiting"]) == 700


@pytest.mark.parametrize(
    "other",
    [
        pod("2"),
        pod(nodeSelector={"disk": "ssd"}),
        pod(tolerations=[{"key": "gpu", "operator": "Exists"}]),
        pod(volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}]),
    ],
)
def test_what_decides_where_a_pod_may_run_tells_kinds_apart(clock, other):
    pods = {"waiting": other, "running": pod(node="lab", phase="Running")}

    assert Room(pods, clock).seconds_without(other) == math.inf
