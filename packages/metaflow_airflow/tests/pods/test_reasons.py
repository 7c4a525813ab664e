"""Statuses as a real cluster gave them -> one sentence."""

from typing import Any

import pytest
from metaflow_airflow.pods import reasons
from metaflow_airflow.wire.task import StepResult

SPEC = {
    "nodeName": "lab",
    "activeDeadlineSeconds": 60,
    "containers": [
        # A cluster may put its own first.
        {"name": "proxy", "image": "mesh:1", "resources": {"limits": {"memory": "1M"}}},
        {
            "name": "step",
            "image": "image:1",
            "resources": {
                "requests": {"cpu": "64", "memory": "1M"}, "limits": {"memory": "64M"},
            },
        }
    ],
}  # fmt: skip


def ending(*arguments: Any) -> Any:
    return reasons.ending(*arguments)


def stuck(*arguments: Any, **options: Any) -> Any:
    return reasons.stuck(*arguments, **options)


def pod(phase, *, state=None, **status):
    containers = [{"name": "step", "state": state}] if state else []
    return {
        "metadata": {"name": "flow-a-1"},
        "spec": SPEC,
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }


def ended(code, *, message="", reason="Error", phase="Failed"):
    terminated = {"exitCode": code, "reason": reason, "message": message}
    return pod(phase, state={"terminated": terminated})


def test_a_pod_that_runs_has_not_ended():
    assert ending(pod("Running", state={"running": {}}), [], []) is None


def test_a_step_that_is_done_brings_its_result():
    result = StepResult(ok=True, exit_code=0, cardinality=7)

    found = ending(
        ended(0, message=result.to_json(), reason="Completed", phase="Succeeded"), [], []
    )

    assert found.ok
    assert found.result == result


def test_a_container_that_ends_well_without_having_run_the_step_is_no_success():
    found = ending(ended(0, reason="Completed", phase="Succeeded"), [], ["bye"])

    assert not found.ok


@pytest.mark.parametrize(
    ("code", "retry"), [(1, True), (202, False), (78, False), (69, True), (137, True)]
)
def test_the_steps_own_failure_has_its_own_last_words(code, retry):
    message = StepResult(ok=False, exit_code=code, error="ValueError: too bad").to_json()

    found = ending(ended(code, message=message), [], [])

    assert found.kind == "exit"
    assert f"exit code {code}: ValueError: too bad" in found.sentence
    assert found.retry is retry


def test_without_a_result_the_logs_last_line_speaks():
    found = ending(ended(3), [], ["first", "no module named boto3", ""])

    assert found.sentence == "exit code 3: no module named boto3 (pod flow-a-1)"


def test_out_of_memory_names_the_limit():
    found = ending(ended(137, reason="OOMKilled"), [], [])

    assert found.kind == "out-of-memory"
    assert found.sentence == "pod flow-a-1 ran out of its memory of 64M"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"memory": 63800000}', "OOMKilled"),
        (StepResult(ok=False, exit_code=137, killed_by=9, error="out of memory: it used …",
                    memory=63_800_000).to_json(), "Error"),
    ],
)  # fmt: skip
def test_out_of_memory_says_what_was_used_last(message, reason):
    found = ending(ended(137, reason=reason, message=message), [], [])

    assert found.kind == "out-of-memory"
    assert found.sentence == "pod flow-a-1 ran out of its memory of 64M; it had used 64 MB"
    assert found.retry


def test_a_pod_that_does_not_go_has_lost_its_node():
    found = reasons.lost(pod("Running", state={"running": {}}), 95.2)

    assert found.kind == "node-gone"
    assert found.retry
    assert "lost its node lab" in found.sentence
    assert "95 s after" in found.sentence


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        ({"reason": "Evicted", "message": "The node was low on resource: memory."}, "evicted",
         "low on resource: memory"),
        ({"reason": "Evicted",
          "message": "Pod ephemeral local storage usage exceeds the total limit of 1Gi."},
         "disk", "exceeds the total limit"),
        ({"reason": "DeadlineExceeded"}, "deadline", "longer than its 60 s"),
        ({"reason": "NodeLost", "message": "Node lab which was running pod"}, "node-gone", "lab"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "True",
                          "reason": "DeletionByTaintManager", "message": "node is gone"}]},
         "node-gone", "node is gone"),
    ],
)  # fmt: skip
def test_what_the_cluster_does_to_a_pod_is_told_apart(status, kind, says):
    found = ending(pod("Failed", **status), [], [])

    assert found.kind == kind
    assert found.infrastructure == (kind in ("evicted", "node-gone"))
    assert says in found.sentence
    assert found.retry


def test_a_pod_that_is_gone_was_deleted_by_somebody():
    found = reasons.vanished(pod("Running", state={"running": {}}))

    assert found.kind == "deleted"
    assert found.sentence == "pod flow-a-1 was deleted by somebody"


@pytest.mark.parametrize(
    ("reason", "after", "kind"),
    [
        ("InvalidImageName", 0, "image"),
        ("ErrImageNeverPull", 0, "image"),
        ("ImagePullBackOff", 25, "image"),
        ("CreateContainerConfigError", 25, "configuration"),
    ],
)
def test_what_will_never_start_is_given_up_without_a_retry(reason, after, kind):
    waiting = pod("Pending", state={"waiting": {"reason": reason, "message": "not  there"}})

    found = stuck(waiting, [], pending_seconds=after, limit=600)

    assert found.kind == kind
    assert not found.retry
    assert "not there" in found.sentence


def test_a_registry_that_fails_once_is_given_time():
    waiting = pod("Pending", state={"waiting": {"reason": "ErrImagePull"}})

    assert stuck(waiting, [], pending_seconds=5, limit=600) is None


def test_no_room_says_after_how_long_what_was_asked_for_and_what_is_missing():
    message = "0/1 nodes are available: 1 Insufficient cpu."
    waiting = pod(
        "Pending", conditions=[{"type": "PodScheduled", "status": "False", "message": message}]
    )

    assert stuck(waiting, [], pending_seconds=599, limit=600) is None
    found = stuck(waiting, [], pending_seconds=601, limit=600)

    assert found.kind == "no-room"
    assert found.retry
    for part in ("601 s", "cpu 64", "Insufficient cpu"):
        assert part in found.sentence


PROXY = {"name": "proxy", "state": {"running": {}}}


def meshed(state, *others, phase="Running", **status):
    """A pod into which a cluster put other containers."""
    statuses = [*others, {"name": "step", "state": state}]
    return pod(phase, **status) | {
        "status": {"phase": phase, "containerStatuses": statuses, **status}
    }


def terminated(code, message=""):
    return {"terminated": {"exitCode": code, "reason": "Error", "message": message}}


def test_a_failure_counts_at_once_where_another_container_goes_on():
    found = ending(meshed(terminated(3), PROXY), [], ["the reason"])

    assert (found.kind, found.retry) == ("exit", True)
    assert "exit code 3: the reason" in found.sentence


def test_a_failure_waits_for_the_phase_where_no_other_container_goes_on():
    other = {"name": "proxy", "state": terminated(0)}

    assert ending(meshed(terminated(3)), [], []) is None
    assert ending(meshed(terminated(3), other), [], []) is None


@pytest.mark.parametrize("code", [0, 1, 137])
@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_how_another_container_ended_does_not_matter(code, phase):
    other = {"name": "proxy", "state": terminated(code)}
    done = StepResult(ok=True, exit_code=0).to_json()

    assert ending(meshed(terminated(0, done), other, phase=phase), [], []).ok
    assert ending(meshed({"running": {}}, other), [], []) is None


def test_a_pod_whose_first_container_failed_names_it():
    before = {"name": "mesh-init", "state": terminated(1)}
    waiting = {"waiting": {"reason": "PodInitializing"}}

    found = ending(meshed(waiting, phase="Failed", initContainerStatuses=[before]), [], [])

    assert "without running the step: container mesh-init" in found.sentence
    assert found.retry


def test_an_image_that_stands_before_the_steps_is_named():
    before = {
        "name": "proxy",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
    }
    waiting = meshed(
        {"waiting": {"reason": "PodInitializing"}}, phase="Pending", initContainerStatuses=[before]
    )

    found = stuck(waiting, [], pending_seconds=25, limit=600)

    assert found.sentence == "image mesh:1 of pod flow-a-1 cannot be had: no such image"


def test_an_image_that_runs_as_root_is_told_at_once_and_what_to_give():
    message = "container has runAsNonRoot and image will run as root (pod: …)"
    waiting = pod(
        "Pending", state={"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    )

    found = stuck(waiting, [], pending_seconds=0, limit=600)

    assert (found.kind, found.retry) == ("configuration", False)
    assert "security_context" in found.sentence


@pytest.mark.parametrize(
    ("why", "may_pass", "kind", "says"),
    [
        ("exceeded quota: two", True, "no-room", "had no room for pod p: exceeded quota: two"),
        ('violates PodSecurity "restricted:latest": privileged', False, "refused",
         "security_context"),
        ("failed quota: q: must specify limits.cpu", False, "refused", "qos="),
        ("serviceaccount not found", False, "refused", "does not take pod p: serviceaccount"),
    ],
)  # fmt: skip
def test_what_the_cluster_does_not_take_says_what_to_do(why, may_pass, kind, says):
    found = reasons.refused("p", why, may_pass=may_pass)

    assert (found.kind, found.retry) == (kind, may_pass)
    assert says in found.sentence
