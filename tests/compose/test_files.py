"""What must hold of the compose files and Dockerfiles, checked without Docker."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from airflow_service import cluster, container

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose.yaml"
SECRET = re.compile(r"(PASSWORD|PSWD|SECRET|TOKEN|_KEY)$")
VARIABLE = re.compile(r"\$\{(\w+)(:\?[^}]*|:-([^}]*))?\}")
UNITS = {"m": 1, "g": 1024}


def files() -> list[Path]:
    return [ROOT / path for path in yaml.safe_load(COMPOSE.read_text())["include"]]


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in files():
        found |= yaml.safe_load(file.read_text())["services"]
    return found


def is_job(name: str) -> bool:
    return name.endswith("-init")


def ours(service: dict[str, Any]) -> bool:
    return "platform/" in service["image"]


def megabytes(limit: str) -> int:
    return int(limit[:-1]) * UNITS[limit[-1]]


def default_of(text: str) -> str:
    return VARIABLE.sub(lambda match: match[3] or "", text)


def variables(node: object) -> Iterator[re.Match[str]]:
    yield from VARIABLE.finditer(json.dumps(node))


@pytest.mark.parametrize("name", services())
def test_a_service_has_limits_and_a_pinned_image(name: str) -> None:
    service = services()[name]

    assert "mem_limit" in service
    _, _, tag = default_of(service["image"]).rpartition(":")
    assert tag == "local" if ours(service) else re.search(r"\d+\.\d+|\d{4}-\d\d", tag)


@pytest.mark.parametrize("name", [name for name in services() if not is_job(name)])
def test_a_server_says_when_it_is_healthy_and_comes_back(name: str) -> None:
    service = services()[name]

    # k3s has no init, and its watchdog would end the steps' pods.
    watched = ["CMD", "sh", "/watchdog.sh"] if name != "k3s" else ["CMD"]
    assert service["healthcheck"]["test"][: len(watched)] == watched
    assert name == "k3s" or (service["init"] and "WATCHDOG_SECONDS" in service["environment"])
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service or service["stop_signal"] == "SIGKILL"


@pytest.mark.parametrize("name", [name for name in services() if is_job(name)])
def test_a_job_is_waited_for_and_not_started_again(name: str) -> None:
    # `up --wait` takes a container that ended for a failure unless another one waits for its end.
    waiting = [
        dependency["condition"]
        for service in services().values()
        for other, dependency in service.get("depends_on", {}).items()
        if other == name
    ]

    assert "service_completed_successfully" in waiting
    assert "restart" not in services()[name]


@pytest.mark.parametrize(("profile", "gigabytes"), [("", 8), ("cluster", 8), ("k3s", 10)])
def test_all_servers_together_fit_into_a_laptop(profile: str, gigabytes: int) -> None:
    limits = [
        megabytes(service["mem_limit"])
        for name, service in services().items()
        if not is_job(name) and profile in service.get("profiles", [profile])
    ]

    assert sum(limits) <= gigabytes * 1_000_000_000 / 2**20


def test_every_port_is_of_one_address_that_can_be_changed() -> None:
    for service in services().values():
        for port in service.get("ports", ()):
            assert re.fullmatch(
                r"\$\{(PODS_)?BIND_ADDRESS:-127\.0\.0\.1\}:\$\{\w+:-\d+\}:\d+", port
            )


def test_no_secret_has_a_value_or_a_default() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"


def test_a_missing_secret_names_the_command_that_draws_it() -> None:
    missing = {match[2] for file in files() for match in variables(file.read_text())}

    assert {text for text in missing if text and text.startswith(":?")} == {
        ":?run `python3 services/env.py` first"
    }


def test_only_the_kubelet_is_privileged() -> None:
    privileged = {name for name, service in services().items() if service.get("privileged")}

    assert privileged == {"k3s"}


def test_no_team_may_write_what_is_the_other_teams() -> None:
    def writes(name: str) -> set[str]:
        policy = json.loads((ROOT / f"services/minio/policies/{name}.json").read_text())
        return {
            resource.removeprefix("arn:aws:s3:::")
            for statement in policy["Statement"]
            if "s3:PutObject" in statement["Action"]
            for resource in statement["Resource"]
        }

    predictions = {"trip-data/predictions/*", "trip-data/made-up/predictions/*"}
    assert writes("de-deploy") == {"dags/data_engineering/*"}
    assert writes("de-run") == {"trip-data/*"}
    assert writes("ml-deploy") == {"metaflow/*", "dags/flows/*", *predictions}
    assert writes("ml-run") == {"metaflow/*", *predictions}
    assert writes("airflow") == writes("metaflow-ui") == set()


def test_who_deploys_is_known_to_no_container_but_the_one_that_makes_the_users() -> None:
    for name, service in services().items():
        if name != "minio-init":
            assert not re.search(r"_DEPLOY_S3_", json.dumps(service)), name


def test_a_key_that_is_drawn_is_made_a_user_and_one_that_is_not_is_removed() -> None:
    text = (ROOT / "services/minio/init.sh").read_text()
    policies = {path.stem for path in (ROOT / "services/minio/policies").glob("*.json")}

    made = dict(re.findall(r'^user (\S+) "\$(\w+)_S3_KEY"', text, re.MULTILINE))
    kept = re.search(r'^now=":(.*):\$\{S3_KEYS_BEFORE:-\}:"$', text, re.MULTILINE)

    assert made.keys() == policies
    assert kept is not None
    assert set(kept[1].split(":")) == {f"${name}_S3_KEY" for name in made.values()}


@pytest.mark.parametrize("folder", ["services/airflow", "packages/pod_image"])
def test_our_images_take_no_secret_at_build_time_and_run_as_a_number(folder: str) -> None:
    text = (ROOT / folder / "Dockerfile").read_text()
    named = re.findall(r"^\s*(?:ARG|ENV)\s+(\w+)|^\s+(\w+)=", text, re.MULTILINE)

    assert not [name for pair in named for name in pair if SECRET.search(name)]
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1].isdigit()
    assert (ROOT / folder / "Dockerfile.dockerignore").read_text().splitlines()[1] == "*"


def test_each_choice_of_a_foreign_image_is_explained() -> None:
    for file in files():
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            found = re.match(r"\s+image: (?:&\w+ )?(\$\S+)$", line)  # not *alias
            if found and "platform/" not in found[1] and not is_repeated(lines[:number], found[1]):
                assert lines[number - 1].strip().startswith("#"), f"{file}: {line}"


def is_repeated(before: list[str], image: str) -> bool:
    return any(image in line for line in before)


def test_an_image_of_ours_is_built_once() -> None:
    built = [service["image"] for service in services().values() if "build" in service]

    assert built == ["${AIRFLOW_IMAGE:-platform/airflow:local}"]


def test_the_file_with_the_secrets_is_never_committed() -> None:
    done = subprocess.run(["git", "check-ignore", ".env"], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout == ".env\n"


def test_what_k3s_leaves_is_where_cluster_init_looks() -> None:
    both = yaml.safe_load((ROOT / "services/kubernetes/compose.yaml").read_text())["services"]
    k3s, job = both["k3s"], both["cluster-init"]
    written = PurePosixPath(k3s["environment"]["K3S_KUBECONFIG_OUTPUT"])
    mounts = {volume.rsplit(":", 2)[0]: volume for volume in job["volumes"]}

    assert f"k3s-admin:{written.parent}" in k3s["volumes"]
    assert mounts["k3s-admin"] == f"k3s-admin:{cluster._K3S.parent}:ro"
    assert cluster._K3S.name == written.name
    # Its certificate holds the name by which containers call it.
    assert "--tls-san=k3s" in k3s["command"]
    assert mounts["${KUBECONFIG_FILE:-/dev/null}"].endswith(f":{cluster._OWN}:ro")
    assert mounts["cluster"] == f"cluster:{cluster.AIRFLOW_KUBECONFIG.parent}"
    assert f"cluster:{container.KUBECONFIG.parent}:ro" in services()["triggerer"]["volumes"]


def test_what_k3s_keeps_is_in_volumes_and_what_it_must_not_keep_is_not() -> None:
    k3s = services()["k3s"]

    # Images and objects survive; sockets and pids of another life would not be understood.
    assert "k3s:/var/lib/rancher/k3s" in k3s["volumes"]
    assert set(k3s["tmpfs"]) == {"/run", "/var/run"}
    assert megabytes(k3s["mem_limit"]) >= 2048
