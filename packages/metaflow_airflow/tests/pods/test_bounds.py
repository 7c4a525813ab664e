"""What a flow's decorators may ask of a pod, in whose environment that is decided."""

from typing import Any

import pytest
from metaflow_airflow.plan.step import Pod
from metaflow_airflow.pods.bounds import Bounds, OutOfBoundsError
from metaflow_airflow.pods.spec import manifest

from .test_payload import task

SECURITY = "METAFLOW_AIRFLOW_POD_SECURITY"


def pod(namespace: str = "flows", **says: Any) -> dict[str, Any]:
    described = Pod(**({"image": "image:1"} | says))
    return manifest(
        described, task(), name="pod", namespace=namespace, labels={}, annotations={}, deadline=None
    )


def refusal(made: dict[str, Any], **environ: str) -> str:
    with pytest.raises(OutOfBoundsError) as caught:
        Bounds.from_environment(environ).applied(made)
    return str(caught.value)


def security(**says: Any) -> dict[str, Any]:
    return pod(security=says)


BEYOND_BASELINE = [
    security(privileged=True),
    security(capabilities={"add": ["SYS_ADMIN"], "drop": ["ALL"]}),
    security(seccomp_profile={"type": "Unconfined"}),
    security(app_armor_profile={"type": "Unconfined"}),
    security(proc_mount="Unmasked"),
]
BEYOND_RESTRICTED = [
    security(run_as_user=0),
    security(run_as_non_root=False),
    security(allow_privilege_escalation=True),
    security(capabilities={"add": ["CHOWN"], "drop": ["ALL"]}),
    security(capabilities={"drop": []}),
]


@pytest.mark.parametrize("made", BEYOND_BASELINE + BEYOND_RESTRICTED)
def test_a_site_that_says_nothing_lets_a_flow_ask_for_no_privilege(made: dict[str, Any]) -> None:
    assert "standard restricted (METAFLOW_AIRFLOW_POD_SECURITY" in refusal(made)


@pytest.mark.parametrize("made", BEYOND_BASELINE)
def test_baseline_refuses_what_kubernetes_baseline_does(made: dict[str, Any]) -> None:
    refusal(made, **{SECURITY: "baseline"})


@pytest.mark.parametrize("made", BEYOND_RESTRICTED)
def test_baseline_allows_root(made: dict[str, Any]) -> None:
    assert Bounds.from_environment({SECURITY: "baseline"}).applied(made) == made


@pytest.mark.parametrize("made", BEYOND_BASELINE + BEYOND_RESTRICTED)
def test_a_site_may_allow_all(made: dict[str, Any]) -> None:
    assert Bounds.from_environment({SECURITY: "privileged"}).applied(made) == made


def test_what_belongs_to_the_host_is_refused_whoever_put_it_into_the_pod() -> None:
    for part in (
        {"hostNetwork": True},
        {"hostPID": True},
        {"hostIPC": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
        # Its name would not be looked at.
        {"volumes": [{"name": "keys", "secret": {"secretName": "airflow-database"}}]},
    ):
        made = pod()
        made["spec"] |= part
        refusal(made, **{SECURITY: "baseline"})
    made = pod()
    made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    assert "port of the host" in refusal(made)


def test_the_default_pod_and_one_with_a_user_pass() -> None:
    for made in (pod(), security(run_as_user=1000), pod(tmpfs=64, volumes={"claim": "/data"})):
        assert Bounds().applied(made) == made


@pytest.mark.parametrize(
    ("made", "variable"),
    [
        (pod(secrets=("flows", "airflow-database")), "METAFLOW_AIRFLOW_POD_SECRETS"),
        (pod(pull_secrets=("airflow-database",)), "METAFLOW_AIRFLOW_POD_SECRETS"),
        (pod(service_account="airflow"), "METAFLOW_AIRFLOW_POD_SERVICE_ACCOUNTS"),
        (pod(namespace="airflow"), "METAFLOW_AIRFLOW_POD_NAMESPACES"),
    ],
)
def test_a_name_that_the_site_does_not_list_is_refused(made: dict[str, Any], variable: str) -> None:
    assert f"({variable} of Airflow's triggerer)" in refusal(made, **{variable: "flow*"})
    assert "this site allows none" in refusal(made, **{variable: ""})
    # A site that says nothing leaves it to the cluster's own rules.
    assert Bounds.from_environment({}).applied(made) == made


def test_names_that_are_listed_pass() -> None:
    made = pod(secrets=("flows", "model-registry"), service_account="steps")
    allowed = {
        "METAFLOW_AIRFLOW_POD_SECRETS": "flows, model-*",
        "METAFLOW_AIRFLOW_POD_SERVICE_ACCOUNTS": "steps",
        "METAFLOW_AIRFLOW_POD_NAMESPACES": "flows",
    }

    assert Bounds.from_environment(allowed).applied(made) == made


def test_an_unknown_standard_is_named_and_never_taken_for_a_laxer_one() -> None:
    assert f"{SECURITY} of the triggerer is 'none'" in refusal(pod(), **{SECURITY: "none"})


def test_a_read_only_root_has_a_place_to_write_to_unless_the_step_says_no() -> None:
    bounds = Bounds(read_only=True)

    spec = bounds.applied(pod())["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["volumeMounts"] == [{"name": "writable", "mountPath": "/tmp"}]
    assert spec["volumes"] == [{"name": "writable", "emptyDir": {}}]

    spec = bounds.applied(pod(tmpfs=64, tmpfs_path="/tmp"))["spec"]
    assert [each["name"] for each in spec["volumes"]] == ["tmpfs"]

    spec = bounds.applied(security(read_only_root_filesystem=False))["spec"]
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False
    assert "volumes" not in spec
