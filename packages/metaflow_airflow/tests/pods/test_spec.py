import json
from typing import Any

import pytest
from metaflow_airflow.plan.step import Pod
from metaflow_airflow.pods.spec import manifest

from .test_payload import task

IDENTITY: dict[str, Any] = {
    "name": "flow-join-1-ab", "namespace": "flows",
    "labels": {"metaflow-airflow/try": "1"}, "annotations": {"metaflow-airflow/dag_id": "Flow"},
}  # fmt: skip


def spec(pod=None, deadline=None, **changes):
    made = manifest(pod or Pod(image="image:1"), task(**changes), **IDENTITY, deadline=deadline)
    return made["spec"], made["spec"]["containers"][0]


def test_a_plain_pod_asks_for_what_metaflow_does_and_may_do_nothing_more():
    pod, container = spec()

    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert pod["activeDeadlineSeconds"] == 5 * 24 * 3600
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "4096M", "ephemeral-storage": "10240M"}
    }
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_it_is_json_and_says_nothing_that_is_empty():
    text = json.dumps(manifest(Pod(image="image:1"), task(), **IDENTITY, deadline=60))

    for empty in ("null", "[]", "{}"):
        assert empty not in text


def test_all_that_kubernetes_takes_arrives():
    pod, container = spec(
        Pod(
            image="image:1", pull_policy="Never", pull_secrets=("registry",), cpu=0.25,
            memory=512, disk=100, gpu=2, gpu_vendor="AMD", qos="Guaranteed",
            resources={"vendor.com/fpga": "1"}, secrets=("s3",), environment={"A": "b"},
            volumes={"claim": "/data"}, tmpfs=64, shared_memory=32, port=8080,
            node_selector={"disk": "ssd"}, tolerations=({"key": "k", "toleration_seconds": 5},),
            service_account="steps", security={"run_as_user": 1000},
        ),
        deadline=120,
    )  # fmt: skip

    amounts = {
        "cpu": "0.25", "memory": "512M", "ephemeral-storage": "100M", "vendor.com/fpga": "1",
    }  # fmt: skip
    assert container["resources"] == {
        "requests": amounts, "limits": {**amounts, "amd.com/gpu": "2"},
    }  # fmt: skip
    assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert {"name": "A", "value": "b"} in container["env"]
    assert container["ports"] == [{"containerPort": 8080}]
    assert container["securityContext"]["runAsUser"] == 1000
    assert {m["mountPath"] for m in container["volumeMounts"]} == {
        "/data", "/metaflow_temp", "/dev/shm",
    }  # fmt: skip
    assert pod["tolerations"] == [{"key": "k", "tolerationSeconds": 5}]
    assert pod["automountServiceAccountToken"] is True
    assert pod["activeDeadlineSeconds"] == 120 + 600


def test_labels_of_the_flow_do_not_hide_those_by_which_the_pod_is_found():
    pod = Pod(image="image:1", labels={"metaflow-airflow/try": "7", "team": "ml"})

    labels = manifest(pod, task(), **IDENTITY, deadline=None)["metadata"]["labels"]

    assert labels["metaflow-airflow/try"] == "1"
    assert labels["team"] == "ml"


def test_an_image_without_the_launcher_takes_it_from_the_code_package():
    _, container = spec(defaults={"METAFLOW_S3_ENDPOINT_URL": "http://s3:9000"})

    script = container["command"][2]
    assert "exec python -m metaflow_airflow.runtime" in script
    assert "METAFLOW_S3_ENDPOINT_URL=http://s3:9000" in script
    assert "exec python .mf_code/metaflow_airflow/runtime/launcher.py" in script


def test_what_the_flow_sets_stands_in_the_containers_environment_and_is_taken_as_it_is():
    _, container = spec(env={"PYTHONHASHSEED": "0", "PRICE": "$(HOME) 5$", "A": "the flow's"})

    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["PYTHONHASHSEED"] == "0"
    assert variables["PRICE"] == "$$(HOME) 5$$"  # of which Kubernetes makes $(HOME) 5$


def test_no_variable_of_the_flow_hides_those_that_the_pod_has_by_itself():
    _, container = spec(env={"METAFLOW_KUBERNETES_POD_NAME": "mine"})

    names = [each["name"] for each in container["env"]]
    assert len(names) == len(set(names))
    assert {"name": "METAFLOW_KUBERNETES_POD_NAME", "value": "mine"} not in container["env"]


def test_the_defaults_are_what_the_standard_restricted_asks_for():
    pod, container = spec()

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize(
    ("says", "lacks"),
    [
        ({"run_as_user": 0}, "runAsNonRoot"),
        ({"privileged": True}, "allowPrivilegeEscalation"),
    ],
)
def test_a_default_does_not_contradict_what_the_flow_says(says, lacks):
    _, container = spec(Pod(image="image:1", security=says))

    assert lacks not in container["securityContext"]


def test_names_within_a_security_context_are_written_as_the_api_has_them():
    profile = {"seccomp_profile": {"type": "Localhost", "localhost_profile": "mine.json"}}

    _, container = spec(Pod(image="image:1", security=profile))

    assert container["securityContext"]["seccompProfile"] == {
        "type": "Localhost",
        "localhostProfile": "mine.json",
    }


def test_a_loop_that_may_take_longer_than_kubernetes_counts_has_the_longest_deadline():
    made = manifest(Pod(image="image:1"), task(), **IDENTITY, deadline=1000 * 30 * 24 * 3600)

    assert made["spec"]["activeDeadlineSeconds"] == 2**31 - 1
