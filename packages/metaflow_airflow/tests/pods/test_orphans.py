"""Which of a flow's pods nobody waits for."""

from types import SimpleNamespace

import pytest
from kubernetes.client import ApiException
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pods.orphans import delete_pod, find_pods

from .test_names import identity

SITE = identity().site

STATES = {
    ("run", "train", 3): ("deferred", 2),
    ("run", "train", 4): ("success", 1),
}


def pod(**changes):
    of = identity(dag_id="Flow", dag_run_id="run", **changes)
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=of.name,
            namespace="flows",
            annotations=of.annotations,
            labels=of.labels,
            uid=f"uid of {of.name}",
        ),
        status=SimpleNamespace(phase="Running"),
    )


def found(*listed):
    return [
        (each.task, each.try_number, each.orphan)
        for each in find_pods(listed, "Flow", SITE, lambda *key: STATES.get(key))
    ]


def test_the_try_that_airflow_waits_for_is_no_orphan_and_an_earlier_one_is():
    assert found(pod(map_index=3, try_number=2), pod(map_index=3, try_number=1)) == [
        ("train[3]", 2, False),
        ("train[3]", 1, True),
    ]


def test_a_pod_of_a_task_that_has_ended_or_is_not_known_is_an_orphan():
    assert found(pod(map_index=4), pod(task_id="gone", map_index=-1)) == [
        ("train[4]", 1, True),
        ("gone", 1, True),
    ]


def test_pods_of_other_dags_and_of_others_are_left_alone():
    other = identity(dag_id="Other")
    foreign = SimpleNamespace(metadata=SimpleNamespace(annotations=None))
    theirs = SimpleNamespace(metadata=SimpleNamespace(annotations=other.annotations))

    assert found(foreign, theirs) == []


def test_no_pod_of_another_airflow_is_an_orphan():
    assert found(pod(site="another", map_index=4), pod(site="another", task_id="gone")) == [
        ("train[4]", 1, False),
        ("gone[3]", 1, False),
    ]


class Core:
    """Kubernetes' client, of which only what is asked counts."""

    def __init__(self, status=None):
        self.asked = []
        self.status = status

    def delete_namespaced_pod(self, name, namespace, body):
        self.asked.append((name, namespace, body))
        if self.status:
            raise ApiException(self.status, reason="No")


@pytest.mark.parametrize("status", [None, 404, 409])
def test_only_the_very_pod_that_was_listed_is_deleted(status):
    (orphan,) = find_pods([pod(map_index=4)], "Flow", SITE, lambda *key: STATES.get(key))
    core = Core(status)

    delete_pod(core, orphan)

    body = {"preconditions": {"uid": orphan.uid}}
    assert core.asked == [(orphan.name, "flows", body)]


def test_a_cluster_that_does_not_delete_is_named():
    (orphan,) = find_pods([pod(map_index=4)], "Flow", SITE, lambda *key: STATES.get(key))

    with pytest.raises(BridgeError, match=f"does not delete pod {orphan.name}: No"):
        delete_pod(Core(403), orphan)
