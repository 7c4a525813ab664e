"""What is within reach in each container of Airflow, as compose files say and the page tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented import table

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("worker-platform", "api-server", "scheduler", "dag-processor", "triggerer")
WORKERS = ("worker-data-engineering", "worker-flows")
KEYS = {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET"}
_SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET|TOKEN|_KEY))[:}]")


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in yaml.safe_load((ROOT / "compose.yaml").read_text())["include"]:
        found |= yaml.safe_load((ROOT / file).read_text())["services"]
    return found


def secrets(service: dict[str, Any]) -> set[str]:
    """The names in .env of what a container is given."""
    return set(_SECRET.findall(json.dumps(service.get("environment", {}))))


def s3_users(names: set[str]) -> set[str]:
    found = {name.removesuffix("_S3_KEY") for name in names if name.endswith("_S3_KEY")}
    return {name.lower().replace("_", "-") for name in found}


@pytest.mark.parametrize("name", SERVERS + WORKERS)
def test_a_container_has_what_the_page_says_and_nothing_else(name: str) -> None:
    cells, given = table("container"), secrets(services()[name])

    documented = cells[name, "Airflow's database and keys"]
    assert given & KEYS == (KEYS if documented == "yes" else set())
    wanted = cells[name, "S3 user"]
    assert s3_users(given) == ({wanted} if wanted != "none" else set())
    others = {each for each in given - KEYS if "_S3_" not in each}
    assert others == {
        "api-server": {
            "AIRFLOW_ADMIN_PASSWORD", "WORKER_DATA_ENGINEERING_KEY", "WORKER_FLOWS_KEY",
            "WORKER_PLATFORM_KEY",
        },
        "worker-platform": {"WORKER_PLATFORM_KEY"},
        "worker-data-engineering": {"WORKER_DATA_ENGINEERING_KEY"},
        "worker-flows": {"WORKER_FLOWS_KEY"},
    }.get(name, set())  # fmt: skip


def test_the_page_names_every_container_of_airflow() -> None:
    assert {row for row, _ in table("container")} == {*SERVERS, *WORKERS}


def test_a_worker_is_a_user_of_its_own_and_sees_nobodys_files() -> None:
    users = {name: services()[name]["user"] for name in WORKERS}

    assert len(set(users.values())) == len(WORKERS)
    assert "50000:0" not in users.values()  # Airflow's, in the image
    for name in WORKERS:
        assert "volumes" not in services()[name]
        assert services()[name]["cap_drop"] == ["ALL"]
        assert services()[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_ways_into_the_cluster_are_with_whom_they_are_for() -> None:
    def mounts(source: str) -> set[str]:
        return {
            name
            for name, service in services().items()
            if any(volume.startswith(source) for volume in service.get("volumes", ()))
        }

    assert mounts("k3s-admin:") == mounts("${KUBECONFIG_FILE") | {"k3s"}
    assert mounts("${KUBECONFIG_FILE") == {"cluster-init", "cluster-token"}
    assert mounts("cluster:") == {"cluster-init", "cluster-token", "triggerer"}
