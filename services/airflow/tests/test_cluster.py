import ipaddress
import json
import os
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from airflow_service import cluster
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient

MANIFESTS = Path(__file__).resolve().parents[3] / "services/kubernetes/flows.yaml"
ENVIRON = {
    "PODS_ADDRESS": "192.0.2.1",
    "S3_PORT": "9000",
    "METADATA_PORT": "8181",
    "ML_RUN_S3_KEY": "key",
    "ML_RUN_S3_SECRET": "secret",
}


def kubeconfig(server: str, **more: str) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": server, **more}}],
    }


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://localhost:1"])
def test_a_server_that_containers_do_not_reach_is_refused_with_the_way_out(server: str) -> None:
    with pytest.raises(cluster.ClusterError, match=r"own address.*host\.docker\.internal"):
        cluster.cluster_of(kubeconfig(server))


def test_a_certificate_in_another_file_is_refused_with_the_way_out() -> None:
    with pytest.raises(cluster.ClusterError, match="kubectl config view --raw --flatten"):
        cluster.cluster_of(kubeconfig("https://192.0.2.1", **{"certificate-authority": "/ca"}))


def test_pods_of_the_stacks_own_cluster_use_its_names_and_others_this_machines_address() -> None:
    own = cluster.pod_secret(ENVIRON, own=True)["stringData"]
    other = cluster.pod_secret(ENVIRON, own=False)["stringData"]

    assert own["METAFLOW_S3_ENDPOINT_URL"] == "http://minio:9000"
    assert own["METAFLOW_SERVICE_URL"] == "http://metadata:8080"
    assert other["METAFLOW_S3_ENDPOINT_URL"] == "http://192.0.2.1:9000"
    assert other["METAFLOW_SERVICE_URL"] == "http://192.0.2.1:8181"


def test_airflow_may_manage_pods_of_one_namespace_and_their_own_account_nothing() -> None:
    manifests = list(yaml.safe_load_all(MANIFESTS.read_text()))
    rules = [rule for each in manifests for rule in each.get("rules", ())]
    bound = [s["name"] for each in manifests for s in each.get("subjects", ())]

    assert {kind for rule in rules for kind in rule["resources"]} == {"pods", "pods/log", "events"}
    assert {each["kind"] for each in manifests}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    assert bound == ["airflow"]


def test_nothing_of_airflow_is_in_the_namespace_of_the_flows() -> None:
    manifests = list(yaml.safe_load_all(MANIFESTS.read_text()))
    here = {
        (each["kind"], each["metadata"]["name"])
        for each in manifests
        if each["metadata"].get("namespace") == "flows"
    }
    subjects = [subject for each in manifests for subject in each.get("subjects", ())]

    assert not {kind for kind, _ in here} & {"Secret"}
    assert {name for kind, name in here if kind == "ServiceAccount"} == {"default"}
    assert [subject["namespace"] for subject in subjects] == ["airflow"]


def test_steps_reach_the_two_services_and_nothing_else_of_the_site() -> None:
    (base,) = [
        each
        for each in yaml.safe_load_all(MANIFESTS.read_text())
        if each["kind"] == "NetworkPolicy"
    ]
    more = cluster.services_policy(cluster.service_addresses(ENVIRON, own=False))
    rules = [*base["spec"]["egress"], *more["spec"]["egress"]]

    def reaches(address: str, port: int) -> bool:
        where = ipaddress.ip_address(address)
        return any(
            where in ipaddress.ip_network(block["cidr"])
            and not any(where in ipaddress.ip_network(out) for out in block.get("except", ()))
            and port in [each["port"] for each in rule.get("ports", [{"port": port}])]
            for rule in rules
            for block in [to["ipBlock"] for to in rule["to"] if "ipBlock" in to]
        )

    assert base["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in base["spec"]
    assert reaches("192.0.2.1", 9000)
    assert reaches("192.0.2.1", 8181)
    assert reaches("1.1.1.1", 443)
    # Airflow's database, other pods, the API server, a cloud's keys.
    for inside in ("10.0.0.5", "10.88.0.7", "172.18.0.2", "192.168.1.2", "169.254.169.254"):
        assert not reaches(inside, 5432)


def test_a_service_inside_is_reached_at_its_port_alone() -> None:
    environ = ENVIRON | {"PODS_ADDRESS": "10.88.0.1"}
    policy = cluster.services_policy(cluster.service_addresses(environ, own=False))

    assert [
        (rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in policy["spec"]["egress"]
    ] == [("10.88.0.1/32", 9000), ("10.88.0.1/32", 8181)]


def as_account(name: str, namespace: str) -> client.ApiClient:
    """The cluster as a service account sees it, with a token of its own."""
    admin = config.new_client_from_config(os.environ["KUBECONFIG"])
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    answer = client.CoreV1Api(admin).create_namespaced_service_account_token(
        name, namespace, request
    )
    server = cluster.cluster_of(yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text()))
    login = cluster.airflow_kubeconfig(server)
    login["users"] = [{"name": "airflow", "user": {"token": answer.status.token}}]
    return config.new_client_from_config_dict(login)


def rights(api: client.ApiClient, namespace: str) -> set[tuple[str, str]]:
    """What the API server says that an account may do: (resource, verb).

    Without what every account may: ask what it may do.
    """
    review = client.V1SelfSubjectRulesReview(
        spec=client.V1SelfSubjectRulesReviewSpec(namespace=namespace)
    )
    answer = client.AuthorizationV1Api(api).create_self_subject_rules_review(review)
    found = {
        (resource, verb)
        for rule in answer.status.resource_rules
        for resource in rule.resources
        for verb in rule.verbs
    }
    return {each for each in found if not each[0].startswith("selfsubject")}


MANAGES_PODS = {
    *(("pods", verb) for verb in ("create", "get", "list", "watch", "delete")),
    ("pods/log", "get"),
    ("events", "list"),
}


@pytest.mark.cluster
@pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="no cluster: $KUBECONFIG is not set")
def test_a_real_cluster_is_prepared_twice_and_gives_airflow_its_pods_and_steps_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    namespace = f"prepared-{os.getpid()}"
    manifests = tmp_path / "flows.yaml"
    text = MANIFESTS.read_text()
    for name in ("flows", "airflow"):
        made = namespace if name == "flows" else f"{namespace}-airflow"
        text = text.replace(f"namespace: {name}}}", f"namespace: {made}}}")
        text = text.replace(f"  name: {name}\n", f"  name: {made}\n")
        text = text.replace(
            f"kind: Namespace\nmetadata: {{name: {name}}}",
            f"kind: Namespace\nmetadata: {{name: {made}}}",
        )
    manifests.write_text(text)
    for name, value in {
        "NAMESPACE": namespace,
        "AIRFLOW_NAMESPACE": f"{namespace}-airflow",
        "_MANIFESTS": manifests,
        "_OWN": Path(os.environ["KUBECONFIG"]),
        "AIRFLOW_KUBECONFIG": tmp_path / "airflow.kubeconfig",
        "TOKEN": tmp_path / "token",
        "_AIRFLOW_USER": os.getuid(),
    }.items():
        monkeypatch.setattr(cluster, name, value)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    core = client.CoreV1Api(config.new_client_from_config(os.environ["KUBECONFIG"]))
    try:
        assert cluster.main() is None
        assert cluster.main() is None

        for name in ("airflow.kubeconfig", "token"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        claims = jwt.decode((tmp_path / "token").read_text(), options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] <= 3600 + 10
        login = json.loads((tmp_path / "airflow.kubeconfig").read_text())
        airflow = config.new_client_from_config_dict(login)
        assert client.CoreV1Api(airflow).list_namespaced_pod(namespace).items == []
        assert rights(airflow, namespace) == MANAGES_PODS
        assert rights(airflow, "default") == set()

        step = as_account("default", namespace)
        assert rights(step, namespace) == rights(step, "default") == set()

        for refused in (
            lambda: client.CoreV1Api(airflow).list_namespaced_secret(namespace),
            lambda: client.CoreV1Api(airflow).list_namespaced_pod("default"),
            lambda: client.CoreV1Api(step).list_namespaced_pod(namespace),
            lambda: client.CoreV1Api(step).read_namespaced_secret("flows", namespace),
            lambda: client.CoreV1Api(step).list_node(),
        ):
            with pytest.raises(client.ApiException) as caught:
                refused()
            assert caught.value.status == 403
        dynamic = DynamicClient(core.api_client)
        for each in cluster.stack_services({"minio": "192.0.2.2", "metadata": "192.0.2.3"}):
            cluster.apply(dynamic, each)
        assert core.read_namespaced_service("minio", namespace).spec.ports[0].port == 9000
        secret = core.read_namespaced_secret("flows", namespace)
        assert "AWS_SECRET_ACCESS_KEY" in secret.data
    finally:
        core.delete_namespace(namespace)
        core.delete_namespace(f"{namespace}-airflow")
