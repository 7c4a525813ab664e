"""docs/kubernetes/values.yaml: what can be checked of it without the chart."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import Connection
from airflow_service import container
from metaflow_airflow.bundle.versioned import VersionedDagBundle

ROOT = Path(__file__).resolve().parents[3]
ASK_AIRFLOW = """
import json, sys
from airflow.configuration import conf
known = conf.configuration_description
wanted = json.load(sys.stdin)
print(json.dumps([f"{s}.{o}" for s in wanted for o in wanted[s] if o not in known[s]["options"]]))
"""


@pytest.fixture
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs/kubernetes/values.yaml").read_text())
    return found


def test_airflow_knows_every_option(values: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW], input=json.dumps(values["config"]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert values["airflowVersion"] == version("apache-airflow")


def test_the_bundles_are_those_of_the_containers(values: dict[str, Any]) -> None:
    bundles = json.loads(values["config"]["dag_processor"]["dag_bundle_config_list"])

    for bundle in bundles:
        cls = VersionedDagBundle
        assert bundle["classpath"] == f"{cls.__module__}.{cls.__qualname__}"
        cls(name=bundle["name"], **bundle["kwargs"])
    found = {bundle["name"]: bundle["kwargs"]["url"] for bundle in bundles}
    assert {name: url.replace("DAGS", "dags") for name, url in found.items()} == container.BUNDLES


def test_no_option_has_a_line_break(values: dict[str, Any]) -> None:
    # The chart writes each into airflow.cfg as one line of YAML.
    options = [str(each) for section in values["config"].values() for each in section.values()]
    assert [each for each in options if "\n" in each] == []


def test_nothing_in_it_is_a_template_by_mistake() -> None:
    # The chart renders what stands below config and env.
    assert "{{" not in (ROOT / "docs/kubernetes/values.yaml").read_text()


def test_the_image_is_what_the_chart_calls(values: dict[str, Any]) -> None:
    image = (ROOT / "services/airflow/Dockerfile").read_text()

    assert values["airflowHome"] == str(container.HOME)
    assert " /entrypoint\n" in image  # the probes'
    assert "--extra celery" in image
    for part in ("scheduler", "dagProcessor", "triggerer", "workers"):
        assert values[part]["logGroomerSidecar"] == {"enabled": False}  # /clean-logs is not there


def test_the_triggerer_reaches_the_pods_by_its_account(values: dict[str, Any]) -> None:
    environment = {each["name"]: each["value"] for each in values["env"]}
    connection = Connection.from_json(
        environment["AIRFLOW_CONN_KUBERNETES_DEFAULT"], conn_id="kubernetes_default"
    )
    account = values["triggerer"]["serviceAccount"]["name"]

    assert connection.extra_dejson == {"in_cluster": True, "namespace": "flows"}
    assert f"--serviceaccount=airflow:{account}" in (ROOT / "docs/outgrowing.md").read_text()
