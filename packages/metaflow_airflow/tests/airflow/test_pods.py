"""Flows as pods on a real cluster: every shape, and what happens when a part of it dies."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import pytest
from waiting import until

from . import in_pods
from .conftest import FLOWS
from .test_clearing import clear
from .test_shapes import CASES

pytestmark = [pytest.mark.stack, pytest.mark.cluster, pytest.mark.timeout(900)]
IMAGE = os.environ.get("METAFLOW_AIRFLOW_TEST_POD_IMAGE", "platform/pod:local")


@pytest.fixture(scope="session")
def kubeconfig():
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        pytest.skip("no Kubernetes cluster: set KUBECONFIG to the file of a test cluster")
    return path


@pytest.fixture(scope="module")
def pods(bridge, stack, kubeconfig):
    """The bridge with every step in a pod, Airflow signed in with the repository's own role."""
    service = in_pods.service_url()
    if not service:
        pytest.skip(
            "no Metaflow metadata service: set METAFLOW_AIRFLOW_TEST_SERVICE_URL (on 127.0.0.1)"
        )
    with in_pods.way_to_cluster(stack, kubeconfig, service, IMAGE) as settings:
        yield replace(bridge, environment={**bridge.environment, **settings})


# A memory limit, which a flow that hoards needs, comes with a limit of the CPU.
LIMITED = "kubernetes:qos=guaranteed,cpu=0.5"


def export(pods, name, kubernetes="kubernetes"):
    path = FLOWS / f"{name}.py"
    pods.flow(path, "--with", kubernetes, "airflow", "create")
    dag_id = json.loads(pods._dag_id(path))
    pods.client.set_paused(dag_id, False)
    return dag_id


def no_pod_left(kubeconfig):
    until(lambda: not in_pods.pods(kubeconfig), "the end of all pods", within=60)


def marks(stack, run_id):
    """The attempts whose step began, by what each of them wrote when it did."""
    known = stack.environment()
    client = boto3.Session(
        known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    ).client("s3", endpoint_url=known["AWS_ENDPOINT_URL"])
    bucket, _, prefix = known["METAFLOW_DATASTORE_SYSROOT_S3"].removeprefix("s3://").partition("/")
    found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/marks/{run_id}/")
    return sorted(each["Key"].rsplit("/", 1)[1][0] for each in found.get("Contents", []))


@pytest.fixture
def working(pods, stack):
    """A run whose step `work` has begun and goes on for 20 s; Airflow's and Metaflow's run id."""
    dag_id = export(pods, "marked", LIMITED)
    run_id = pods.start(dag_id, {"seconds": 20})
    from metaflow_airflow.wire import ids

    metaflow_run = ids.run_id(dag_id, run_id)
    until(lambda: marks(stack, metaflow_run) == ["0"], "the step's beginning")
    return run_id, metaflow_run


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_artifacts_are_those_of_a_local_run(pods, tmp_path, kubeconfig, name, parameters):
    dag_id = export(pods, name)
    run_id = pods.start(dag_id, parameters)
    options = [f"--{key}={value}" for key, value in parameters.items()]
    local = replace(pods, environment={**pods.environment, "METAFLOW_DEFAULT_METADATA": "local"})
    path = FLOWS / f"{name}.py"
    local.flow(path, "--datastore=local", "run", f"--run-id-file={tmp_path / 'id'}", *options)
    expected = local.artifacts(f"{dag_id}/{(tmp_path / 'id').read_text()}")

    found = pods.artifacts(f"{dag_id}/{pods.wait(dag_id, run_id, within=800)}")

    assert found == expected
    no_pod_left(kubeconfig)


def test_pods_and_processes_in_one_flow(pods, kubeconfig):
    dag_id = pods.export(FLOWS / "mixed.py")

    artifacts = pods.artifacts(f"{dag_id}/{pods.run(dag_id)}")

    assert artifacts["start"]["place"] == "'pod'"
    assert artifacts["local"]["place"] == "'process'"
    assert artifacts["join"]["places"] == "['pod', 'pod', 'pod']"
    no_pod_left(kubeconfig)


def test_a_worker_may_wait_for_each_pod(pods, kubeconfig):
    path = FLOWS / "mixed.py"
    pods.flow(path, "airflow", "create", "--pods-on", "worker")
    pods.client.set_paused("Mixed", False)

    artifacts = pods.artifacts(f"Mixed/{pods.run('Mixed')}")

    assert artifacts["join"]["places"] == "['pod', 'pod', 'pod']"
    no_pod_left(kubeconfig)


def test_an_attempt_out_of_memory_is_followed_by_the_next(pods, stack, kubeconfig):
    dag_id = export(pods, "marked", LIMITED)

    run_id = pods.run(dag_id, {"fails": "memory"})

    assert marks(stack, run_id) == ["0", "1"]
    no_pod_left(kubeconfig)


def test_a_step_that_wants_no_retry_gets_none(pods, stack, kubeconfig):
    dag_id = export(pods, "marked", LIMITED)

    run_id = pods.run(dag_id, {"fails": "exit"}, expect="failed")

    assert marks(stack, run_id) == ["0"]
    no_pod_left(kubeconfig)


def kill(stack, server):
    kill_all(psutil.Process(stack.status()["servers"][server]["pid"]))


def kill_all(root):
    if not root.is_running():
        return
    victims = [root, *root.children(recursive=True)]
    for process in victims:
        if process.is_running():
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(victims, 30)


@pytest.mark.parametrize("server", ["triggerer", "scheduler"])
def test_a_killed_server_neither_loses_the_step_nor_runs_it_twice(
    pods, stack, kubeconfig, working, server
):
    run_id, metaflow_run = working

    kill(stack, server)
    stack.up()

    pods.wait("Marked", run_id)
    assert marks(stack, metaflow_run) == ["0"]
    no_pod_left(kubeconfig)


@pytest.fixture
def second_triggerer(pods, stack, tmp_path):
    """Another triggerer of the same Airflow, with the first one's environment."""
    first = psutil.Process(stack.status()["servers"]["triggerer"]["pid"])
    with (tmp_path / "triggerer.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
            env=first.environ(), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    second = psutil.Process(process.pid)
    alive = {"job_type": "TriggererJob", "is_alive": "true"}
    until(lambda: pods.client._get("jobs", alive)["total_entries"] == 2, "the second triggerer")
    try:
        yield second
    finally:
        kill_all(second)
        process.wait()


def test_both_of_two_triggerers_are_killed_and_the_step_runs_once(
    pods, stack, kubeconfig, second_triggerer, working
):
    run_id, metaflow_run = working

    kill_all(second_triggerer)
    kill(stack, "triggerer")
    stack.up()

    pods.wait("Marked", run_id)
    assert marks(stack, metaflow_run) == ["0"]
    no_pod_left(kubeconfig)


def test_a_running_step_that_is_cleared_ends_its_pod_and_runs_anew(
    pods, stack, kubeconfig, working
):
    run_id, metaflow_run = working
    (first,) = in_pods.pods(kubeconfig)

    clear(pods, run_id, "work", dag_id="Marked")

    until(lambda: marks(stack, metaflow_run) == ["0", "1"], "the second attempt")
    assert first.metadata.name not in [pod.metadata.name for pod in in_pods.pods(kubeconfig)]
    pods.wait("Marked", run_id)
    no_pod_left(kubeconfig)


def test_a_step_past_its_timeout_ends_and_is_tried_again(pods, stack, kubeconfig):
    # Metaflow takes no shorter one for Kubernetes.
    timeout = ("--with", "timeout:seconds=60")
    pods.flow(FLOWS / "marked.py", "--with", LIMITED, *timeout, "airflow", "create")
    pods.client.set_paused("Marked", False)
    dag_run_id = pods.start("Marked", {"fails": "late"})

    run_id = pods.wait("Marked", dag_run_id)

    assert marks(stack, run_id) == ["0", "1"]
    log = "\n".join(pods.log("Marked", dag_run_id, "work"))
    assert "timed out after 0 hours, 0 minutes, 60 seconds" in log
    no_pod_left(kubeconfig)


def test_a_run_that_is_marked_failed_takes_its_pod_with_it(pods, kubeconfig, working):
    run_id, _ = working

    pods.client.set_run_state("Marked", run_id, "failed")

    no_pod_left(kubeconfig)


def test_a_pod_that_somebody_deletes_is_followed_by_the_next_attempt(
    pods, stack, kubeconfig, working
):
    from kubernetes import client

    run_id, metaflow_run = working
    (pod,) = in_pods.pods(kubeconfig)

    client.CoreV1Api().delete_namespaced_pod(pod.metadata.name, in_pods.NAMESPACE)

    pods.wait("Marked", run_id)
    assert marks(stack, metaflow_run) == ["0", "1"]
    no_pod_left(kubeconfig)


def test_its_lines_are_in_the_tasks_log_while_the_step_runs(pods, working):
    run_id, _ = working

    def lines():
        return "\n".join(pods.log("Marked", run_id, "work"))

    until(lambda: "second 2" in lines(), "the step's line in Airflow's log", within=30)
    assert pods.client.run("Marked", run_id)["state"] == "running"
    pods.client.set_run_state("Marked", run_id, "failed")
