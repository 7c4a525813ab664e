"""Which of a flow's pods nobody waits for."""

from types import SimpleNamespace

from metaflow_airflow.cli.list_pods import find_pods

from .test_names import identity

STATES = {
    ("run", "train", 3): ("deferred", 2),
    ("run", "train", 4): ("success", 1),
}


def pod(**changes):
    of = identity(dag_id="Flow", dag_run_id="run", **changes)
    return SimpleNamespace(
        metadata=SimpleNamespace(name=of.name, namespace="flows", annotations=of.annotations),
        status=SimpleNamespace(phase="Running"),
    )


def found(*listed):
    return [
        (each.task, each.try_number, each.orphan)
        for each in find_pods(listed, "Flow", lambda *key: STATES.get(key))
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
