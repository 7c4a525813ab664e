import re
from typing import Any

import pytest
from metaflow_airflow.pods.names import PodIdentity, described, site, site_label

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


def identity(**changes):
    given: dict[str, Any] = {
        "site": site("key", "url"),
        "dag_id": "trip_duration.prod.TrainTripDurationFlow",
        "dag_run_id": "manual__2026-11-23T10:00:00+00:00_ab",
        "task_id": "train",
        "map_index": 3,
        "try_number": 1,
        "key": "01a2",
    }
    return PodIdentity(**given | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"map_index": -1},
        {"dag_id": "a" * 250, "task_id": "b" * 250, "map_index": 123456, "try_number": 99},
        {"dag_id": "__x__", "task_id": "Über.größe"},
    ],
)
def test_names_and_labels_are_valid_ones(changes):
    pod = identity(**changes)

    assert len(pod.name) <= 63
    assert NAME.fullmatch(pod.name)
    for value in pod.labels.values():
        assert len(value) <= 63
        assert LABEL.fullmatch(value)


def test_the_same_try_has_the_same_name_and_any_other_another():
    others = [
        identity(try_number=2, key="01a3"),
        identity(map_index=4, key="01a4"),
        identity(key="01a5"),
    ]

    assert identity().name == identity().name
    assert len({pod.name for pod in [identity(), *others]}) == 4


def test_the_tries_of_a_task_instance_share_a_label_and_those_of_another_do_not():
    retry, other = identity(try_number=2, key="01a3"), identity(map_index=4)

    assert retry.task_instance == identity().task_instance
    assert other.task_instance != identity().task_instance
    assert other.run == identity().run


def test_the_annotations_lead_back_to_the_task_instance():
    assert described(identity().annotations) == {
        "dag_id": "trip_duration.prod.TrainTripDurationFlow",
        "dag_run_id": "manual__2026-11-23T10:00:00+00:00_ab",
        "task_id": "train",
        "map_index": "3",
        "try_number": "1",
    }


def test_a_site_does_not_show_what_it_is_made_of():
    assert "secret-key" not in site("secret-key", "http://localhost")
    assert site("a", "bc") != site("ab", "c")


@pytest.mark.parametrize("said", ["prod", "team-a.prod_1", "Über uns!", "x" * 300, "-"])
def test_what_somebody_called_the_installation_is_a_labels_value(said):
    value = site_label(said)

    assert len(value) <= 63
    assert LABEL.fullmatch(value)
    assert site_label(value) == value
    assert (value == said) == bool(LABEL.fullmatch(said) and len(said) <= 63)
