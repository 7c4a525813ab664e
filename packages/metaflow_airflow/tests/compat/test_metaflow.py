"""What compat/metaflow.py takes from Metaflow is still there: a test of each one's name."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from types import FunctionType, SimpleNamespace

import pytest
from metaflow import FlowSpec
from metaflow.datastore import FlowDataStore
from metaflow_airflow.compat import metaflow as upstream
from metaflow_airflow.wire.exit_codes import DISALLOW_RETRY
from metaflow_airflow.wire.ids import MAX_ATTEMPTS


def test_each_function_has_its_test():
    functions = [
        name
        for name, value in vars(upstream).items()
        if isinstance(value, FunctionType) and value.__module__ == upstream.__name__
    ]
    assert [name for name in functions if f"test_{name}" not in globals()] == []


@pytest.fixture(autouse=True)
def user(monkeypatch):
    """Metaflow asks who it is."""
    monkeypatch.setenv("USER", "tester")


@pytest.fixture
def datastore(tmp_path):
    """A flow's datastore in a folder."""
    return upstream.open_datastore("F", upstream.storage_of("local"), str(tmp_path))


def write(datastore, task_id, attempt=0, done=True, **artifacts):
    task = datastore.get_task_datastore("1", "start", task_id, attempt=attempt, mode="w")
    task.init_task()
    task.save_artifacts(iter(artifacts.items()))
    if done:
        task.done()
    return task


def test_numbers():
    from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY
    from metaflow.metaflow_config import MAX_ATTEMPTS as METAFLOWS

    assert (DISALLOW_RETRY, MAX_ATTEMPTS) == (METAFLOW_EXIT_DISALLOW_RETRY, METAFLOWS)


def test_artifact_names():
    """They are written by task.py and read by runtime.py, which refuses what we refuse."""
    from metaflow import flowspec, runtime, task

    written = inspect.getsource(task) + inspect.getsource(flowspec)
    for name in (
        upstream.TASK_OK, upstream.TRANSITION, upstream.NUM_SPLITS, upstream.VALUES, upstream.GRAPH,
    ):  # fmt: skip
        assert f".{name} = " in written
    assert f'results.get("{upstream.TRANSITION}")' in inspect.getsource(runtime)
    assert f'"{upstream.PARAMETERS}"' in inspect.getsource(runtime)


def test_forget_flow_dependent_modules(monkeypatch):
    import metaflow.cli
    import metaflow.cli_components.init_cmd
    import metaflow.cli_components.run_cmds

    for name in upstream.FLOW_DEPENDENT_MODULES:
        parent, _, leaf = name.rpartition(".")
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
        monkeypatch.setattr(sys.modules[parent], leaf, sys.modules[name])
    upstream.forget_flow_dependent_modules()
    assert not {*upstream.FLOW_DEPENDENT_MODULES} & {*sys.modules}
    assert not hasattr(metaflow, "cli")


def test_configuration(tmp_path):
    for profile, url in (("", "http://one"), ("_other", "http://two")):
        text = json.dumps({"METAFLOW_AIRFLOW_REST_API_URL": url})
        (tmp_path / f"config{profile}.json").write_text(text)
    for more, url in (({}, "http://one"), ({"METAFLOW_PROFILE": "other"}, "http://two")):
        found = upstream.configuration({"METAFLOW_HOME": str(tmp_path), **more})
        assert found == {"METAFLOW_AIRFLOW_REST_API_URL": url}


def test_storage_of():
    assert [upstream.storage_of(kind).TYPE for kind in ("local", "s3")] == ["local", "s3"]
    assert upstream.storage_of("none such") is None


def test_open_datastore(datastore):
    assert isinstance(datastore, FlowDataStore)
    assert not datastore.get_task_datastores("1", steps=["start"])


def test_open_metadata(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    provider = upstream.open_metadata("F", "local")
    provider.add_sticky_tags(tags=["mine"])
    assert "mine" in provider.sticky_tags


def test_has_begun(datastore):
    task = datastore.get_task_datastore("1", "start", "t", attempt=0, mode="w")
    assert not upstream.has_begun(task)
    task.init_task()
    assert upstream.has_begun(task)


def test_began(datastore):
    write(datastore, "t")
    assert upstream.began(datastore.get_task_datastore("1", "start", "t")) > 1_700_000_000


def test_attempt_metadata(datastore):
    write(datastore, "t", done=False).save_metadata({"ours": {"number": 7}})
    assert upstream.attempt_metadata(datastore, "1", "start", "t", 0, "ours") == {"number": 7}


def test_done_attempt(datastore):
    write(datastore, "t", done=False)
    write(datastore, "t", attempt=1, x=3)
    assert upstream.done_attempt(datastore, "1", "start", "t", 0) is None
    assert upstream.done_attempt(datastore, "1", "start", "t", 1)["x"] == 3


def test_artifacts(datastore):
    write(datastore, "t", x=3, y=None)
    task = datastore.get_task_datastore("1", "start", "t")
    assert upstream.artifacts(task, "x", "y", "z") == {"x": 3, "y": None}


def test_share_artifact(datastore):
    source, target = write(datastore, "a", x=3), write(datastore, "b", done=False, x=4)
    upstream.share_artifact(source, target, "x")
    target.done()
    assert datastore.get_task_datastore("1", "start", "b")["x"] == 3


def test_write_clone(datastore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(datastore, "a", x=3, _task_ok=True)
    metadata = upstream.open_metadata("F", "local")
    upstream.write_clone("F", "1/start/a", ("2", "b", 0), datastore, metadata)
    assert datastore.get_task_datastore("2", "start", "b")["x"] == 3


def test_replace_save_bytes(tmp_path):
    from metaflow.plugins.datastores.s3_storage import S3Storage

    assert [*inspect.signature(S3Storage.save_bytes).parameters] == [
        "self",
        "path_and_bytes_iter",
        "overwrite",
        "len_hint",
    ]
    saved = []

    Storage = type("Storage", (upstream.storage_of("local"),), {})
    upstream.replace_save_bytes(
        Storage, lambda save: lambda self, items, *rest, **named: saved.extend(items)
    )
    store = upstream.open_datastore("F", Storage, str(tmp_path))
    write(store, "t", x=3)
    assert all(isinstance(path, str) for path, _ in saved)
    assert saved


def test_save_text(datastore):
    upstream.save_text(datastore, "tokens/x", "one")
    upstream.save_text(datastore, "tokens/x", "two")
    with upstream.storage_of("local")(datastore.datastore_root).load_bytes(["tokens/x"]) as found:
        [(_, path, _)] = found
        assert Path(path).read_text() == "two"


def test_call_exit_hook(tmp_path, capsys):
    script = tmp_path / "flow.py"
    script.write_text("def bye(run=None):\n    print('bye', run)\ndef plain():\n    print('plain')")
    upstream.call_exit_hook(str(script), "plain", "F/1")
    assert capsys.readouterr().out == "plain\n"


def test_task_log_source():
    assert upstream.task_log_source() == "task"


def test_log_upload_delay():
    assert 0 < upstream.log_upload_delay(0) < upstream.log_upload_delay(10_000)


def test_keep_null(monkeypatch):
    from metaflow.parameters import DelayedEvaluationParameter, JSONType

    monkeypatch.setattr(JSONType, "convert", JSONType.convert)
    upstream.keep_null()
    param = SimpleNamespace(name="cfg")
    assert JSONType.convert('{"a": null}', param, None) == {"a": None}
    null = JSONType.convert("null", param, None)
    assert isinstance(null, DelayedEvaluationParameter)
    assert (null(), null(return_str=True)) == (None, None)
    # Whoever makes the run's parameters evaluates it.
    assert "isinstance(val, DelayedEvaluationParameter)" in inspect.getsource(FlowSpec)
