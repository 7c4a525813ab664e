"""docs/kubernetes/values.yaml as Helm renders Airflow's official chart with it.

Runs where there are a `helm` on PATH and, in $AIRFLOW_CHART, the chart: an unpacked folder, or a
name that helm knows, such as apache-airflow/airflow.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow_service import container

ROOT = Path(__file__).resolve().parents[3]
VALUES = ROOT / "docs/kubernetes/values.yaml"
SERVERS = {"scheduler", "dag-processor", "triggerer", "api-server"}


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    """The objects that an installation would create."""
    chart = os.environ.get("AIRFLOW_CHART")
    if not (shutil.which("helm") and chart):
        pytest.skip("there is no helm on PATH or no $AIRFLOW_CHART")
    command = ["helm", "template", "airflow", chart, "--namespace=airflow", f"--values={VALUES}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def workloads(rendered: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What runs for good, by the part of Airflow that it is."""
    return {
        each["metadata"]["labels"]["component"]: each["spec"]
        for each in rendered
        if each["kind"] in ("Deployment", "StatefulSet")
    }


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pod = spec["template"]["spec"]
    yield from (*pod.get("initContainers", ()), *pod["containers"])


def test_airflows_servers_run_from_our_image_and_nothing_else_does(
    rendered: list[dict[str, Any]],
) -> None:
    found = workloads(rendered)

    assert set(found) == SERVERS
    images = {each["image"] for spec in found.values() for each in containers(spec)}
    assert images == {"REGISTRY/airflow:0.1.0"}
    assert found["triggerer"]["replicas"] == 2


def test_flows_find_their_datastore_and_the_triggerer_its_account(
    rendered: list[dict[str, Any]],
) -> None:
    wanted = {each["name"]: each["value"] for each in yaml.safe_load(VALUES.read_text())["env"]}

    for part, spec in workloads(rendered).items():
        for each in spec["template"]["spec"]["containers"]:
            given = {word["name"]: word.get("value") for word in each["env"]}
            assert wanted.items() <= given.items(), (part, each["name"])
    pod = workloads(rendered)["triggerer"]["template"]["spec"]
    assert pod["serviceAccountName"] == "airflow-triggerer"


def test_airflows_configuration_is_what_the_values_say(rendered: list[dict[str, Any]]) -> None:
    [text] = [
        each["data"]["airflow.cfg"]
        for each in rendered
        if each["kind"] == "ConfigMap" and "airflow.cfg" in each.get("data", {})
    ]
    found = configparser.RawConfigParser()
    found.read_string(text)

    for section, options in yaml.safe_load(VALUES.read_text())["config"].items():
        for option, value in options.items():
            assert found[section][option].split() == str(value).split(), (section, option)
    bundles = json.loads(found["dag_processor"]["dag_bundle_config_list"])
    assert {each["name"] for each in bundles} == set(container.BUNDLES)


def test_no_secret_of_airflows_is_drawn_by_the_chart(rendered: list[dict[str, Any]]) -> None:
    made = {each["metadata"]["name"] for each in rendered if each["kind"] == "Secret"}

    assert made & {"airflow-fernet-key", "airflow-api-secret-key", "airflow-jwt-secret"} == set()
    assert "airflow-database" not in made
