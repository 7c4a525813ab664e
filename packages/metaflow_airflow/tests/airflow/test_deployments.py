"""Exporting again and again, by several users, while runs go on."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest
from metaflow_airflow.airflow_api.deployments import read_record

from .conftest import FLOWS

pytestmark = pytest.mark.stack


@pytest.fixture
def user(bridge, tmp_path):
    """The bridge of another user, with a Metaflow home of their own."""

    def of(name):
        mine = {"METAFLOW_USER": name, "METAFLOW_HOME": str(tmp_path / name), "USER": name}
        return replace(bridge, environment={**bridge.environment, **mine})

    return of


def test_a_production_token_guards_a_deployment(user):
    flow, ann, bob = FLOWS / "single.py", user("ann"), user("bob")
    create = ["airflow", "--name", "guarded", "create", "--wait", "0"]

    def token():
        return read_record(ann.dag_file("guarded.py")).deployment.production_token

    ann.flow(flow, *create)
    first = token()
    assert "airflow create --authorize TOKEN" in bob.flow(flow, *create, check=False)
    bob.flow(flow, *create, "--authorize", first)
    assert token() == first
    bob.flow(flow, *create)  # once is enough

    # Metaflow generates none any more once somebody has given one.
    ann.flow(flow, *create, "--generate-new-token")
    assert token() != first
    assert "deployed by" in bob.flow(flow, *create, check=False)

    ann.flow(flow, *create, "--new-token", "ours")
    assert token() == "ours"
    assert "deployed by" in bob.flow(flow, *create, check=False), (
        "the old token has served its time"
    )
    bob.flow(flow, *create, "--authorize", "production:ours")
    assert token() == "ours"

    # And from one export to the next of the same user the same flow gives the same file.
    text, version = ann.dag_file("guarded.py"), ann.versions.newest()
    bob.flow(flow, *create)
    assert (ann.dag_file("guarded.py"), ann.versions.newest()) == (text, version)
    assert len(text.encode()) < 4096


def test_a_run_keeps_its_code_while_the_flow_is_exported_again(bridge, tmp_path):
    flow, go = tmp_path / "versions.py", tmp_path / "go"
    text = (FLOWS / "versions.py").read_text()
    flow.write_text(text)
    bridge.export(flow)
    run = bridge.start("Versions", {"go": str(go)})
    deadline = time.monotonic() + 120
    while not (tmp_path / "go.waiting").exists():
        assert time.monotonic() < deadline, bridge.states("Versions", run)
        time.sleep(0.2)

    flow.write_text(text.replace("VERSION = 1", "VERSION = 2"))
    bridge.export(flow)
    go.touch()

    old = bridge.artifacts(f"Versions/{bridge.wait('Versions', run)}")["end"]
    new = bridge.artifacts(f"Versions/{bridge.run('Versions')}")["end"]
    assert (old["started"], old["ended"]) == ("1", "1")
    assert (new["started"], new["ended"]) == ("2", "2")


def test_more_items_than_airflow_maps_over_fail_in_one_sentence(bridge):
    bridge.export(FLOWS / "versions.py")
    run = bridge.start("Versions", {"count": 10_001})
    bridge.wait("Versions", run, expect="failed")

    log = "\n".join(bridge.log("Versions", run, "start"))

    assert "Step start made 10001 items for its foreach, but Airflow maps over at most 10000" in log
    assert "AIRFLOW__CORE__MAX_MAP_LENGTH" in log


def test_of_two_exports_at_once_one_is_in_place_and_the_other_says_so(bridge):
    command = [sys.executable, str(FLOWS / "single.py"), "--no-pylint", "airflow"]
    command += ["--name=at_once", "create"]
    exports = [
        subprocess.Popen(
            [*command, f"--tag={tag}"],
            env=dict(bridge.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for tag in ("left", "right")
    ]
    outputs = [export.communicate(timeout=300)[0] for export in exports]

    text = bridge.dag_file("at_once.py")
    won = [read_record(text).deployment.tags == (tag,) for tag in ("left", "right")]
    assert sorted(won) == [False, True], text
    for export, output, has_won in zip(exports, outputs, won, strict=True):
        # The other one may have been served by Airflow before it was overwritten.
        assert export.returncode == 0 or not has_won, output
        assert export.returncode == 0 or "by somebody else meanwhile" in output
    assert bridge.client.source("at_once") == text
