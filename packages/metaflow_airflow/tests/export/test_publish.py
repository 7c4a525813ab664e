"""An export replaces nothing until it is known to be good, and a flow has one file."""

from __future__ import annotations

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.places import DagFile, FolderPlace
from metaflow_airflow.export.publish import find_publication
from metaflow_airflow.export.wait_for_dag import DagWait, NotLoadedError
from metaflow_airflow.plan.record import Record
from metaflow_airflow.plan.step import Deployment


def dag_text(dag_id="Flow", script="flow.py"):
    record = Record(dag_id=dag_id, flow="Flow", format=2, deployment=Deployment(script=script))
    return f'flow = MetaflowFlow.load(r"""\n{record.to_json()}\n""")\n'


@pytest.fixture
def dags(tmp_path):
    """The DAGs folder."""
    return FolderPlace(tmp_path.resolve())


def files(place):
    return {path.name: path.read_text() for path in place.folder.iterdir()}


def failure(filename, time, trace="Traceback: minute 61"):
    return {
        "filename": filename,
        "bundle_name": "dags-folder",
        "stack_trace": trace,
        "timestamp": time,
    }


def test_an_export_that_airflow_does_not_load_leaves_the_former_one(airflow, dags):
    old, new = dag_text(), dag_text(script="new.py")
    target = DagFile(dags, "Flow.py")
    target.put(old)
    airflow.load(dags.folder / "Flow.py", "Flow")
    publication = find_publication("Flow", target, dags, airflow.client)
    wait = DagWait(airflow.client, "Flow", target, 20, print)
    publication.put(new)
    airflow.errors = [failure("Flow.py", "2")]

    with pytest.raises(NotLoadedError, match=r"could not load Flow.py:\nTraceback: minute 61"):
        wait.until_loaded(new)
    assert "former export is in place again" in publication.take_back(new)
    assert files(dags) == {"Flow.py": old}


def test_a_first_export_that_airflow_does_not_load_is_removed(airflow, dags):
    target = DagFile(dags, "Flow.py")
    publication = find_publication("Flow", target, dags, airflow.client)
    publication.put(dag_text())

    assert "removed again" in publication.take_back(dag_text())
    assert files(dags) == {}


def test_somebody_elses_export_is_not_taken_back(dags):
    target = DagFile(dags, "Flow.py")
    publication = find_publication("Flow", target, dags, None)
    publication.put(dag_text())
    target.put(dag_text(script="theirs.py"))

    assert "Somebody else's export" in publication.take_back(dag_text())
    assert files(dags) == {"Flow.py": dag_text(script="theirs.py")}


def test_the_former_text_s_error_is_not_taken_for_the_new_one_s(airflow, dags):
    """Airflow parses the broken text once more while the good one is put in place."""
    target = DagFile(dags, "Flow.py")
    airflow.errors = [failure("Flow.py", "1")]
    wait = DagWait(airflow.client, "Flow", target, 20, print)
    target.put(dag_text())

    def processor():
        if airflow.errors and airflow.errors[0]["timestamp"] == "2":
            airflow.errors = []
            airflow.load(dags.folder / "Flow.py", "Flow")
        elif airflow.errors:
            airflow.errors = [failure("Flow.py", "2")]

    airflow.on_ask = processor
    wait.until_loaded(dag_text())


def test_the_same_error_again_and_again_is_the_new_text_s(airflow, dags):
    target = DagFile(dags, "Flow.py")
    airflow.errors = [failure("Flow.py", "1")]
    wait = DagWait(airflow.client, "Flow", target, 20, print)
    target.put(dag_text())
    times = iter("123456789")

    def processor():
        airflow.errors = [failure("Flow.py", next(times))]

    airflow.on_ask = processor
    with pytest.raises(NotLoadedError):
        wait.until_loaded(dag_text())


def test_errors_of_other_files_are_not_this_one_s(airflow, dags):
    target = DagFile(dags, "Flow.py")
    airflow.errors = [failure("SubFlow.py", "1"), failure("other/Flow.py", "1")]
    wait = DagWait(airflow.client, "Flow", target, 20, print)
    target.put(dag_text())
    airflow.errors = [failure("SubFlow.py", "2"), failure("other/Flow.py", "2", "new")]
    airflow.on_ask = lambda: airflow.load(dags.folder / "Flow.py", "Flow")

    wait.until_loaded(dag_text())


def test_a_bridge_that_airflow_lacks_is_named(airflow, dags):
    target = DagFile(dags, "Flow.py")
    wait = DagWait(airflow.client, "Flow", target, 20, print)
    target.put(dag_text())
    airflow.errors = [failure("Flow.py", "1", "No module named 'metaflow_airflow'")]

    with pytest.raises(NotLoadedError, match="Install metaflow-airflow where Airflow's"):
        wait.until_loaded(dag_text())


def test_what_does_not_appear_in_time_says_what_airflow_has(airflow, dags):
    target = DagFile(dags, "Flow.py")
    wait = DagWait(airflow.client, "Flow", target, 0, print)
    target.put(dag_text())
    with pytest.raises(BridgeError, match=r"within 0 s \(it has nothing\)"):
        wait.until_loaded(dag_text())


@pytest.mark.parametrize("known", [True, False])
def test_a_flow_has_one_file_whatever_file_said(airflow, dags, known):
    DagFile(dags, "Flow.py").put(dag_text())
    if known:
        airflow.load(dags.folder / "Flow.py", "Flow")
    other = DagFile(dags, "other_name.py")

    publication = find_publication("Flow", other, dags, airflow.client)
    publication.put(dag_text(script="new.py"))
    assert files(dags) == {"other_name.py": dag_text(script="new.py")}

    publication.take_back(dag_text(script="new.py"))
    assert files(dags) == {"Flow.py": dag_text()}


def test_delete_leaves_no_file(airflow, dags):
    for name in ("Flow.py", "other_name.py"):
        DagFile(dags, name).put(dag_text())
    airflow.load(dags.folder / "other_name.py", "Flow")

    assert find_publication("Flow", DagFile(dags, "Flow.py"), dags, airflow.client).remove()
    assert files(dags) == {}


def test_a_file_that_is_not_in_reach_is_named(airflow, dags):
    airflow.sources["Flow"] = dag_text()
    airflow.files["Flow"] = "team/other.py"
    with pytest.raises(BridgeError, match=r"reads Flow from team/other.py of its bundle"):
        find_publication("Flow", DagFile(dags, "Flow.py"), dags, airflow.client)


def test_airflow_may_see_the_folder_under_another_path(airflow, dags):
    folder = dags.folder / "team"
    folder.mkdir()
    target = DagFile(FolderPlace(folder), "Flow.py")
    target.put(dag_text())
    airflow.sources["Flow"], airflow.files["Flow"] = dag_text(), "team/Flow.py"

    assert find_publication("Flow", target, dags, airflow.client).former == {target: dag_text()}


@pytest.mark.parametrize("text", [dag_text("Another"), "DAG('hand-written')", "def ("])
def test_a_file_that_holds_something_else_is_kept(dags, text):
    target = DagFile(dags, "Flow.py")
    target.put(text)
    with pytest.raises(BridgeError, match="holds something else"):
        find_publication("Flow", target, dags, None)
    assert files(dags) == {"Flow.py": text}
