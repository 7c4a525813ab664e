"""What Metaflow has beside steps, on Airflow as in `flow.py run`; credentials from a connection."""

import json

import pytest

from .conftest import FLOWS

pytestmark = pytest.mark.stack

FLOW = FLOWS / "wide.py"
# One with all that Airflow might read otherwise, and one that is too long for Airflow's own tags.
TAGS = ["nightly", "owner: ünit, {{ ds }} 'x'", "x" * 120]
DAG = "wide.test.feature.Wide"
VALUES = {
    "needed": "hé re",
    "a-number": 2.5,
    "retry_count": 7,
    "sure": False,
    "data": '{"b": {"c": 1}}',
}
_LOOK = """
import json, sys
from metaflow import Run, namespace
from metaflow.cards import get_cards
namespace(None)
run = Run(sys.argv[1])
cards = sorted(card.id for card in get_cards(next(iter(run["work"]))))
print("ANSWER" + json.dumps([sorted(run.user_tags), cards, run["work"].task.stdout]))
"""


@pytest.fixture(scope="module")
def connection(bridge):
    """A connection with the stack's own key, in another region than the worker's."""
    key, secret = (
        bridge.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    )
    body = {"conn_type": "aws", "login": key, "extra": json.dumps({"region_name": "eu-test-1"})}
    right = {**body, "connection_id": "right_key", "password": secret}
    wrong = {**body, "connection_id": "wrong_key", "password": "not-" + secret}
    for each in (right, wrong):
        bridge.client._json("POST", "connections", json=each)
    return secret


@pytest.fixture(scope="module")
def deployed(bridge, connection):
    options = [*(f"--tag={tag}" for tag in TAGS), "--namespace=user:ann", "--connection=right_key"]
    bridge.flow(FLOW, "--branch=feature", "airflow", "create", *options)
    bridge.client.set_paused(DAG, False)
    return DAG


def test_all_of_it_gives_the_artifacts_of_a_local_run(bridge, deployed, connection, tmp_path):
    # By REST a JSON parameter's value is JSON itself: a text would stay one.
    given = {**VALUES, "data": json.loads(str(VALUES["data"]))}
    run_id = bridge.start(deployed, given)
    options = [f"--{name}={value}" for name, value in VALUES.items()]
    options += ["--tag=nightly", "--namespace=user:ann", f"--run-id-file={tmp_path / 'id'}"]
    bridge.flow(FLOW, "--branch=feature", "--datastore=local", "run", *options)
    local = bridge.artifacts(f"Wide/{(tmp_path / 'id').read_text()}")

    on_airflow = bridge.artifacts(f"Wide/{bridge.wait(deployed, run_id)}")

    regions = {task.pop("region") for task in on_airflow.values() if "region" in task}
    assert regions == {"'eu-test-1'"}
    for task in local.values():
        task.pop("region", None)
    for task, artifacts in local.items():
        assert on_airflow.pop(task) == artifacts, task
    assert not on_airflow
    assert local["join"]["values"] == "[('work', 'WORK', 0), ('work', 'WORK', 1)]"


def test_tags_cards_and_no_secret_in_file_and_log(bridge, stack, deployed, connection):
    run = next(bridge.client.runs(deployed))["dag_run_id"]
    name = bridge.wait(deployed, run)

    tags, cards, log = json.loads(bridge.python(_LOOK, f"Wide/{name}"))

    assert tags == sorted(TAGS)
    assert {"metaflow", *TAGS[:2]} == {tag["name"] for tag in bridge.client.dag(deployed)["tags"]}
    assert cards == ["one", "two"]
    assert f"the key is {connection}" in log, "the step itself has it"
    assert connection not in bridge.dag_file(f"{DAG}.py")
    lines = bridge.log(DAG, run, "work", map_index=0)
    assert "the key is ***" in lines
    assert not [line for line in lines if connection in line]


def test_a_connection_that_does_not_serve_is_named(bridge, deployed):
    def fails_with(conn_id):
        bridge.flow(FLOW, "--branch=feature", "airflow", "create", f"--connection={conn_id}")
        run = bridge.start(deployed, VALUES)
        bridge.wait(deployed, run, expect="failed")
        return "\n".join(bridge.log(deployed, run, "start"))

    assert "Airflow has no connection of that id" in fails_with("nowhere")
    # Access to the artifacts, or to the code package where no step of this host has fetched it yet.
    assert " refuses " in fails_with("wrong_key")
