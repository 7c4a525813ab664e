"""What `create` exports, refuses and takes back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions


def test_an_export_says_what_it_made(command):
    command.write()
    (command.folder / "large.py").write_text("#" * 300_000)

    output = command.good("create")

    assert "Code package: " in output
    assert "large.py 300.0 KB" in output
    assert "It brings" not in output
    answer = json.loads(command.good("create", "--json").splitlines()[0])
    assert answer["file"] == str(command.dags / "Flow.py")
    assert answer["url"] == f"{command.airflow.url}/dags/Flow"
    command.good("create", str(command.dags / "other.py"))
    assert [path.name for path in command.dags.iterdir()] == ["other.py"]
    command.good("delete")
    assert list(command.dags.iterdir()) == []
    assert command.airflow.deleted == ["Flow"]


def test_runs_that_go_on_are_named_where_dag_files_have_no_versions(command):
    command.write()
    command.good("create")
    command.airflow.under_way = [{"dag_id": "Flow", "dag_run_id": "one", "state": "running"}]

    said = command.good("create", "--tag", "new")
    assert re.search(r"Run airflow-\w+ goes on: ", said)
    assert "has no versions, so Airflow goes on with this export" in said

    refused = command.refused("delete")
    assert "goes on: a run whose DAG is deleted never ends" in refused
    assert "airflow terminate RUN-ID" in refused
    assert [path.name for path in command.dags.iterdir()] == ["Flow.py"]


def test_a_bundle_with_versions_has_one_for_each_export(command):
    (command.dags / "bundle.json").write_text('{"format": 1}')
    versions = Versions(FolderObjects(command.dags))

    def processor():
        manifest = versions.manifest(versions.newest())
        for name in manifest.files:
            command.airflow.sources[Path(name).stem] = versions.content(manifest, name).decode()
            command.airflow.files[Path(name).stem] = name

    command.airflow.on_ask = processor
    command.write()
    command.airflow.under_way = [{"dag_id": "Flow", "dag_run_id": "one", "state": "running"}]

    said = command.good("create")
    first = versions.newest()
    assert f"{command.dags}/Flow.py, version {first}" in said
    assert "goes on" not in command.good("create", "--tag", "new")
    second = versions.newest()
    command.good("create")
    assert versions.newest() == first != second

    command.airflow.under_way = []
    command.good("delete")
    assert dict(versions.manifest(versions.newest()).files) == {}


def test_what_airflow_does_not_load_is_taken_back(command):
    command.write()
    command.good("create")
    former = (command.dags / "Flow.py").read_text()
    command.airflow.on_ask = lambda: None
    command.airflow.errors = [
        {"filename": "Flow.py", "bundle_name": "b", "stack_trace": "No pool", "timestamp": "1"}
    ]
    processor = iter([*"1", *"23456789"])
    command.airflow.on_ask = lambda: command.airflow.errors[0].update(timestamp=next(processor))

    output = command.refused("create", "--tag", "new")

    assert "could not load Flow.py: No pool" in output
    assert "former export is in place again" in output
    assert (command.dags / "Flow.py").read_text() == former


def test_an_airflow_that_starts_nothing_in_its_triggerer_gets_workers_for_pods(command):
    command.write()
    # A volume, as this metadata is a folder; of both versions the newer one is asked last.
    pods = ("--with", 'kubernetes:persistent_volume_claims={"runs": "/runs"}')
    for version, place, waits in (
        ("3.2.2", "worker", "starts no task in its triggerer (3.3 does): a worker waits"),
        ("3.3.2", "triggerer", ""),
    ):
        command.airflow.version = version

        created, explained = (command.good(verb, options=pods) for verb in ("create", "explain"))

        assert waits in created
        assert waits in explained
        assert ("starts no task" in created) is bool(waits)
        worker = place == "worker"
        assert ('pods_on="worker"' in (command.dags / "Flow.py").read_text()) is worker
        assert ("pods: a worker waits for each" in explained) is worker
    assert "starts no task" not in command.good("create"), "without pods nobody is asked"


def test_pods_go_back_to_an_older_image_by_the_same_command(command):
    command.write()
    pods = ("--with", 'kubernetes:persistent_volume_claims={"runs": "/runs"}')
    images = ("platform/pod:2.0.0", "platform/pod:1.9.0", "platform/pod:2.0.0")
    for image in images:
        command.good("create", options=pods, METAFLOW_KUBERNETES_CONTAINER_IMAGE=image)

        text, record = (command.dags / "Flow.py").read_text(), command.record()
        assert set(re.findall(r"platform/pod:[\d.]+", text)) == {image}
        # What Airflow shows of the DAG, and what Metaflow's runs of it are tagged with.
        assert f"image:{image}" in re.findall(r"DAG\(.*?tags=\[(.*?)\]", text, re.DOTALL)[0]
        assert f"image:{image}" in record.deployment.tags


def test_a_pool_that_nobody_made_is_refused(command):
    command.write()
    assert "has no such pool" in command.refused("create", "--worker-pool", "narrow")
    assert list(command.dags.iterdir()) == []
    command.airflow.pools.add("narrow")
    command.good("create", "--worker-pool", "narrow")


def test_a_user_of_any_name_has_a_branch(command):
    user, name = "Ann Müller@example.com", "taxi.user.Ann-M-ller-example.com.Flow"
    command.write(on='@project(name="taxi")')

    command.good("create", METAFLOW_USER=user)

    record = command.record(name)
    assert (record.dag_id, record.project.branch) == (name, f"user.{user}")
    assert record.deployment.owner == user
    program = f"""
        from metaflow import DeployedFlow
        found = DeployedFlow.from_deployment({name!r}, impl="airflow")
        print(found.delete())
    """
    assert command.python(program).splitlines()[-1] == "True"
    assert list(command.dags.iterdir()) == []


def test_with_hands_on_users_own_decorators(command):
    command.write()
    (command.folder / "deco.py").write_text(
        "from metaflow import StepMutator, user_step_decorator\n\n\n"
        "@user_step_decorator\n"
        "def stamped(step_name, flow, inputs=None, attributes=None):\n"
        "    yield\n\n\n"
        "class again(StepMutator):\n"
        "    def mutate(self, step):\n"
        "        step.add_decorator('retry', deco_kwargs={'times': 2})\n"
    )
    options = ("--with", "deco.stamped", "--with", "deco.again", "--with", "card")

    command.good("create", options=options)

    record = command.record()
    names = {spec.partition(":")[0] for spec in record.deployment.decorators}
    assert names == {"deco.stamped", "deco.again", "card"}
    assert "retries=2" in (command.dags / "Flow.py").read_text()


def test_an_exit_hook_that_cannot_be_found_again_is_refused(command):
    command.write(on="@exit_hook(on_error=[lambda run: None])")
    assert "will not find the function <lambda>" in command.refused("create")


def test_an_exit_hook_of_another_module_is_named_by_its_path(command):
    (command.folder / "alerts.py").write_text("def page(run):\n    print(run)\n")
    command.write(head="import alerts", on="@exit_hook(on_error=[alerts.page])")
    command.good("create")
    assert 'on_error=["alerts.page"]' in (command.dags / "Flow.py").read_text()


def test_what_a_flow_imports_from_elsewhere_travels_with_it(command, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "helper.py").write_text("N = 3\n")
    command.write("n = Parameter('n', default=helper.N)", head="import helper")

    output = command.good("create", PYTHONPATH=str(shared))

    assert "It brings helper, from beside" in output


def test_a_flow_that_is_a_link_brings_what_lies_beside_its_file(command, tmp_path):
    (command.folder / "beside.py").write_text("N = 3\n" + "#" * 200_000)
    path = command.write("n = Parameter('n', default=beside.N)", head="import beside")
    link = tmp_path / "linked.py"
    link.symlink_to(path)

    output = command.good("create", script=str(link))

    assert "beside.py 200.0 KB" in output
    assert command.record().deployment.script == "flow.py"


def test_a_flow_that_runs_as_a_module_is_refused(command):
    package = command.folder / "team"
    package.mkdir()
    (package / "__init__.py").touch()
    path = command.write()
    path.rename(package / "flow.py")
    assert "runs as a module (python -m team.flow)" in command.refused(
        "create", script="-mteam.flow"
    )


def test_somebody_elses_file_is_not_replaced(command):
    command.write()
    (command.dags / "theirs.py").write_text("# by hand\n")
    output = command.refused("create", str(command.dags / "theirs.py"))
    assert "holds something else" in output
