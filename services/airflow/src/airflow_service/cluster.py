"""Prepares a cluster for steps as pods: namespaces, accounts, their secret, Airflow's kubeconfig.

The job cluster-init of compose.yaml; runs at every `up`, what is there is brought up to date. The
service cluster-token goes on with `renew`: Airflow's token lives for an hour.
"""

from __future__ import annotations

import http
import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from urllib3.exceptions import HTTPError

NAMESPACE = "flows"
SECRET = "flows"  # noqa: S105 - its name
AIRFLOW_NAMESPACE = "airflow"
AIRFLOW_KUBECONFIG = Path("/run/cluster/airflow.kubeconfig")
TOKEN = Path("/run/cluster/token")
"""What Airflow signs in with: read anew whenever the cluster refuses the one before."""

_MANIFESTS = Path("/manifests/flows.yaml")
_K3S, _OWN = Path("/run/k3s/kubeconfig"), Path("/run/kubeconfig")
_MANAGER = "platform"
_TOKEN_SECONDS = 3600
_RENEW_SECONDS = 600
_AGAIN_SECONDS = 15  # where the cluster did not answer
_AIRFLOW_USER = 50000
# Name in the stack's network, port there, and the variable with the port on this machine.
_SERVICES = (("minio", 9000, "S3_PORT"), ("metadata", 8080, "METADATA_PORT"))


class ClusterError(Exception):
    """The cluster cannot be prepared; the message says what to change."""


def admin_kubeconfig() -> tuple[dict[str, Any], bool]:
    """Return the administrator's kubeconfig, and whether it is that of the stack's own k3s."""
    own = yaml.safe_load(_OWN.read_text()) if _OWN.is_file() else None
    if own:
        return own, False
    if not _K3S.exists():
        raise ClusterError(
            "KUBECONFIG_FILE in .env names no kubeconfig: set it, or COMPOSE_PROFILES=k3s"
        )
    # k3s writes its own loopback address.
    return yaml.safe_load(_K3S.read_text().replace("127.0.0.1", "k3s")), True


def cluster_of(kubeconfig: Mapping[str, Any]) -> dict[str, str]:
    """Return server and certificate authority of the current context.

    Raises ClusterError when containers cannot reach it or the certificate is in another file.
    """
    current = _named(kubeconfig["contexts"], kubeconfig["current-context"])["context"]
    found = _named(kubeconfig["clusters"], current["cluster"])["cluster"]
    host = urlsplit(found["server"]).hostname
    if host in ("127.0.0.1", "localhost", "::1"):
        raise ClusterError(
            f"the kubeconfig's server {found['server']} is each container's own address: put one "
            "that containers reach into it, such as https://host.docker.internal:PORT"
        )
    if "certificate-authority-data" not in found:
        raise ClusterError(
            "the kubeconfig has no certificate-authority-data: write it with "
            "`kubectl config view --raw --flatten --minify`"
        )
    return {key: found[key] for key in ("server", "certificate-authority-data")}


def airflow_kubeconfig(cluster: Mapping[str, str]) -> dict[str, Any]:
    """Return the kubeconfig of Airflow's service account; its token is in a file of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": dict(cluster)}],
        "users": [{"name": "airflow", "user": {"tokenFile": str(TOKEN)}}],
        "contexts": [
            {
                "name": "flows",
                "context": {"cluster": "cluster", "user": "airflow", "namespace": NAMESPACE},
            }
        ],
        "current-context": "flows",
    }


def pod_secret(environ: Mapping[str, str], *, own: bool) -> dict[str, Any]:
    """Return the secret with what every step gets: the ML team's S3 user, and addresses."""
    s3, metadata = (
        f"http://{name}:{port}" if own else f"http://{environ['PODS_ADDRESS']}:{environ[published]}"
        for name, port, published in _SERVICES
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "stringData": {
            "AWS_ACCESS_KEY_ID": environ["ML_RUN_S3_KEY"],
            "AWS_SECRET_ACCESS_KEY": environ["ML_RUN_S3_SECRET"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            "METAFLOW_S3_ENDPOINT_URL": s3,
            "METAFLOW_S3_WORKER_COUNT": "4",
            "METAFLOW_SERVICE_URL": metadata,
            "TRIP_DATA_ROOT": "s3://trip-data",
        },
    }


def stack_services(address_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what makes the stack's names resolve in the pods of its own k3s, as in containers."""
    objects: list[dict[str, Any]] = []
    for name, port, _ in _SERVICES:
        metadata = {"name": name, "namespace": NAMESPACE}
        objects += [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"ports": [{"port": port}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": metadata | {"labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"port": port}],
                "endpoints": [{"addresses": [address_of[name]]}],
            },
        ]
    return objects


def apply(dynamic: Any, manifest: Mapping[str, Any]) -> None:
    """Make the object, or bring it up to date."""
    kind = dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
    metadata = manifest["metadata"]
    kind.server_side_apply(
        body=dict(manifest),
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        field_manager=_MANAGER,
        force_conflicts=True,
    )


def services_policy(addresses: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """Return what lets steps reach S3 and the metadata service.

    Args:
        addresses: IP address and port of each, by name.
    """
    egress = [
        {
            "to": [{"ipBlock": {"cidr": str(ipaddress.ip_network(address))}}],
            "ports": [{"protocol": "TCP", "port": port}],
        }
        for address, port in addresses.values()
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "services", "namespace": NAMESPACE},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress},
    }


def service_addresses(environ: Mapping[str, str], *, own: bool) -> dict[str, tuple[str, int]]:
    """Return where pods reach the services: in the stack's network, or on this machine."""
    return {
        name: (socket.gethostbyname(name), port)
        if own
        else (socket.gethostbyname(environ["PODS_ADDRESS"]), int(environ[published]))
        for name, port, published in _SERVICES
    }


def token(api: client.ApiClient) -> str:
    """Return a token of Airflow's account that lives for an hour."""
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=_TOKEN_SECONDS)
    )
    answer = client.CoreV1Api(api).create_namespaced_service_account_token(
        "airflow", AIRFLOW_NAMESPACE, request
    )
    return str(answer.status.token)


def renew() -> str | None:
    """Write a new token every ten minutes, until told to end; return what is wrong."""
    try:
        kubeconfig, _ = admin_kubeconfig()
    except (ClusterError, OSError) as error:
        return str(error)
    api = config.new_client_from_config_dict(kubeconfig)
    while True:
        wait = _RENEW_SECONDS
        try:
            _write(TOKEN, token(api))
        except (client.ApiException, HTTPError, OSError) as error:
            wait = _AGAIN_SECONDS
            print(f"no new token for Airflow: {error}", file=sys.stderr, flush=True)
        time.sleep(wait)


def main() -> str | None:
    """Prepare the cluster; return what is wrong, or None."""
    try:
        kubeconfig, own = admin_kubeconfig()
        cluster = cluster_of(kubeconfig)
        api = config.new_client_from_config_dict(kubeconfig)
        dynamic = DynamicClient(api)
        addresses = service_addresses(os.environ, own=own)
        manifests = [
            *yaml.safe_load_all(_MANIFESTS.read_text()),
            services_policy(addresses),
            pod_secret(os.environ, own=own),
        ]
        if own:
            manifests += stack_services({name: address for name, (address, _) in addresses.items()})
        for manifest in manifests:
            apply(dynamic, manifest)
        _remove_old_account(api)
        _write(TOKEN, token(api))
        _write(AIRFLOW_KUBECONFIG, json.dumps(airflow_kubeconfig(cluster)))
    except ClusterError as error:
        return str(error)
    except client.ApiException as error:
        return (
            f"the cluster {cluster['server']} refused: {error.status} {error.reason} {error.body}"
        )
    except OSError as error:
        return f"the cluster cannot be prepared: {error}"
    print(f"{cluster['server']}: namespace {NAMESPACE} is ready")
    return None


def _remove_old_account(api: client.ApiClient) -> None:
    """Earlier versions had Airflow's account among the flows, with a token that never ended."""
    core = client.CoreV1Api(api)
    for remove, name in (
        (core.delete_namespaced_secret, "airflow-token"),
        (core.delete_namespaced_service_account, "airflow"),
    ):
        try:
            remove(name, NAMESPACE)
        except client.ApiException as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise


def _write(file: Path, text: str) -> None:
    """Replace a file of Airflow's in one move."""
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(text)
    os.chown(part, _AIRFLOW_USER, 0)
    part.replace(file)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise ClusterError(f"the kubeconfig names {name!r} but has no such entry")


if __name__ == "__main__":
    sys.exit(renew() if sys.argv[1:] == ["renew"] else main())
