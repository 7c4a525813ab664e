"""What flows in pods need beside an Airflow: a namespace, secrets, ways from the pods to here."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml

RBAC = Path(__file__).parents[4] / "services" / "kubernetes" / "flows.yaml"
NAMESPACE = "flows-tests"
SECRET = "step-settings"


@contextmanager
def relays(host: str, *ports: int) -> Iterator[dict[int, int]]:
    """Let pods reach servers that listen on 127.0.0.1 alone; {port: port on `host`}."""
    loop = asyncio.new_event_loop()

    async def pump(source: Any, target: Any) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
        finally:
            target.close()

    def relay(port: int) -> Any:
        async def serve(reader: Any, writer: Any) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pump(reader, back), pump(there, writer))

        return serve

    async def start(port: int) -> int:
        server = await asyncio.start_server(relay(port), host, 0)
        return int(server.sockets[0].getsockname()[1])

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield {
            port: asyncio.run_coroutine_threadsafe(start(port), loop).result(10) for port in ports
        }
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def set_up(kubeconfig: str, variables: dict[str, str]) -> dict[str, Any]:
    """Apply the repository's own roles in a namespace for tests; Airflow's kubeconfig.

    Args:
        variables: what the pods get as a Kubernetes secret.
    """
    from kubernetes import client, config, utils
    from kubernetes.client import ApiException

    config.load_kube_config(kubeconfig)
    api = client.ApiClient()
    core = client.CoreV1Api(api)
    for text in RBAC.read_text().split("\n---\n"):
        each = yaml.safe_load(text.replace("namespace: flows", f"namespace: {NAMESPACE}"))
        if each["kind"] == "Namespace" and each["metadata"]["name"] == "flows":
            each["metadata"]["name"] = NAMESPACE
        if each["kind"] == "NetworkPolicy":
            continue  # this machine's servers are on a private address
        try:
            utils.create_from_dict(api, each)
        except utils.FailToCreateError as error:
            if any(problem.status != 409 for problem in error.api_exceptions):
                raise
    # What an earlier session left when it was killed.
    core.delete_collection_namespaced_pod(NAMESPACE)
    secret = {"metadata": {"name": SECRET}, "stringData": variables}
    try:
        core.create_namespaced_secret(NAMESPACE, secret)
    except ApiException as error:
        if error.status != 409:
            raise
        core.replace_namespaced_secret(SECRET, NAMESPACE, secret)
    return _kubeconfig(core, api)


def _kubeconfig(core: Any, api: Any) -> dict[str, Any]:
    from kubernetes import client

    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=6 * 3600)
    )
    token = core.create_namespaced_service_account_token("airflow", "airflow", request).status.token
    authority = core.read_namespaced_config_map("kube-root-ca.crt", NAMESPACE).data["ca.crt"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "airflow"}}],
        "clusters": [
            {
                "name": "tests",
                "cluster": {
                    "server": api.configuration.host,
                    "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
                },
            }
        ],
        "users": [{"name": "airflow", "user": {"token": token}}],
    }


def node_address(kubeconfig: str) -> str:
    """The address of the cluster's node: where pods reach this machine, when it is the node."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    (node, *_) = client.CoreV1Api().list_node().items
    return next(str(a.address) for a in node.status.addresses if a.type == "InternalIP")


def pods(kubeconfig: str) -> list[Any]:
    """The pods of the namespace for tests."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    return list(client.CoreV1Api().list_namespaced_pod(NAMESPACE).items)


def port_of(url: str) -> int:
    """The port of a URL."""
    return int(urlsplit(url).port or 80)


def connect(stack: Any, login: dict[str, Any]) -> None:
    """Make the stack's Airflow connection kubernetes_default."""
    url, (user, password) = stack.airflow_url, stack.airflow_login
    given = {"username": user, "password": password}
    token = requests.post(f"{url}/auth/token", json=given, timeout=30).json()["access_token"]
    extra = {"kube_config": json.dumps(login), "namespace": NAMESPACE}
    asked: dict[str, Any] = {
        "json": {
            "connection_id": "kubernetes_default",
            "conn_type": "kubernetes",
            "extra": json.dumps(extra),
        },
        "headers": {"Authorization": f"Bearer {token}"},
    }
    answer = requests.post(f"{url}/api/v2/connections", timeout=30, **asked)
    if answer.status_code == requests.codes.conflict:
        answer = requests.patch(f"{url}/api/v2/connections/kubernetes_default", timeout=30, **asked)
    answer.raise_for_status()


@contextmanager
def way_to_cluster(
    stack: Any, kubeconfig: str, service: str, image: str
) -> Iterator[dict[str, str]]:
    """Join a stack and a cluster; the settings with which flows are exported as pods."""
    host, known = node_address(kubeconfig), stack.environment()
    s3_port, service_port = port_of(known["AWS_ENDPOINT_URL"]), port_of(service)
    with relays(host, s3_port, service_port) as there:
        endpoint = f"http://{host}:{there[s3_port]}"
        login = set_up(
            kubeconfig,
            {
                "AWS_ACCESS_KEY_ID": known["AWS_ACCESS_KEY_ID"],
                "AWS_SECRET_ACCESS_KEY": known["AWS_SECRET_ACCESS_KEY"],
                "AWS_DEFAULT_REGION": known["AWS_DEFAULT_REGION"],
                "AWS_ENDPOINT_URL": endpoint,
                "METAFLOW_S3_ENDPOINT_URL": endpoint,
                "METAFLOW_SERVICE_URL": f"http://{host}:{there[service_port]}",
            },
        )
        connect(stack, login)
        yield {
            "METAFLOW_DEFAULT_METADATA": "service",
            "METAFLOW_SERVICE_URL": service,
            "METAFLOW_KUBERNETES_SECRETS": SECRET,
            "METAFLOW_KUBERNETES_CONTAINER_IMAGE": image,
            "METAFLOW_KUBERNETES_IMAGE_PULL_POLICY": "IfNotPresent",
            "METAFLOW_KUBERNETES_CPU": "0.25",
            "METAFLOW_KUBERNETES_MEMORY": "400",
            "METAFLOW_KUBERNETES_DISK": "200",
        }


def service_url() -> str:
    """A Metaflow metadata service on this machine, that pods and tests share."""
    return os.environ.get("METAFLOW_AIRFLOW_TEST_SERVICE_URL", "")
