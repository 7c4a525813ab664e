"""What compat/metaflow_export.py takes from Metaflow is still there: a test of each one's name."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from types import FunctionType, SimpleNamespace

import pytest
from metaflow_airflow.compat import metaflow_export as upstream


def test_each_function_has_its_test():
    functions = [
        name
        for name, value in vars(upstream).items()
        if isinstance(value, FunctionType)
        and value.__module__ == upstream.__name__
        and not name.startswith("_")
    ]
    assert [name for name in functions if f"test_{name}" not in globals()] == []


@pytest.fixture(autouse=True)
def user(monkeypatch):
    """Metaflow asks who it is."""
    monkeypatch.setenv("USER", "tester")


def test_parsed_graph():
    from metaflow import FlowSpec, step

    class F(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass

    assert {node.name for node in upstream.parsed_graph(F(use_cli=False))} == {"start", "end"}


def test_first_and_last():
    from metaflow import FlowSpec, step

    class F(FlowSpec):
        @step(start=True)
        def one(self):
            self.next(self.two)

        @step(end=True)
        def two(self):
            pass

    assert upstream.first_and_last(F(use_cli=False)._graph) == ("one", "two")
    assert upstream.first_and_last(object()) == ("start", "end")  # an older Metaflow


def test_attached_decorators():
    from metaflow import FlowSpec, retry, step
    from metaflow.decorators import _attach_decorators

    class F(FlowSpec):
        @retry
        @step
        def start(self):
            pass

    flow = F(use_cli=False)
    _attach_decorators(flow, ["timeout:seconds=9"])
    node = next(iter(flow._graph))
    assert [deco.name for deco in upstream.attached_decorators(node)] == ["timeout"]


def test_own_flow_decorators():
    from metaflow import FlowSpec, project, step

    @project(name="p")
    class F(FlowSpec):
        @step
        def start(self):
            pass

    assert list(upstream.own_flow_decorators(F(use_cli=False))) == ["project"]


def test_parameters():
    from metaflow import FlowSpec, Parameter, step

    class F(FlowSpec):
        x = Parameter("x", default=1)

        @step
        def start(self):
            pass

    assert [name for name, _ in upstream.parameters(F)] == ["x"]


def test_config_values():
    """Put there by the options of the command line, as here."""
    from metaflow import FlowSpec, step
    from metaflow.flowspec import FlowStateItems
    from metaflow.user_configs import config_options

    class F(FlowSpec):
        @step
        def start(self):
            pass

    assert "_flow_state.self_data[FlowStateItems.CONFIGS][name] = " in inspect.getsource(
        config_options
    )
    F._flow_state.self_data[FlowStateItems.CONFIGS]["settings"] = ({"a": 1}, False)
    assert upstream.config_values(F(use_cli=False)) == {"settings": {"a": 1}}


def test_file_encoding():
    from metaflow import IncludeFile

    for words, encoding in (({"encoding": "latin-1"}, "latin-1"), ({"is_text": False}, None)):
        parameter = IncludeFile("x", **words)
        parameter.init()
        assert upstream.file_encoding(parameter.kwargs["type"]) == encoding


def test_project_flow_name():
    from metaflow import current

    current._update_env({"project_flow_name": "p.user.a@b.F"})
    with upstream.project_flow_name("p.user.a-b.F"):
        assert current.project_flow_name == "p.user.a-b.F"
    assert current.project_flow_name == "p.user.a@b.F"
    current._update_env({"project_flow_name": None})


def test_commit_of(tmp_path, monkeypatch):
    def ask():
        monkeypatch.setattr("metaflow.metaflow_git._git_info_cache", None)
        return upstream.commit_of(tmp_path)

    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "ann")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ann@example")

    def git(*words):
        done = subprocess.run(
            ["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert ask() == ""
    git("init")
    (tmp_path / "flow.py").touch()
    git("add", "flow.py")
    git("commit", "--message", "First")
    assert ask() == git("rev-parse", "HEAD")
    (tmp_path / "flow.py").write_text("# changed")
    assert ask() == f"{git('rev-parse', 'HEAD')} with changes"


def test_upload_package(tmp_path, monkeypatch):
    """The oldest Metaflow's packages: tests/airflow_matrix.py runs with one."""
    from metaflow import FlowSpec, step
    from metaflow.datastore import FlowDataStore
    from metaflow.metaflow_environment import MetaflowEnvironment
    from metaflow.plugins import DATASTORES

    class F(FlowSpec):
        @step
        def start(self):
            pass

    (tmp_path / "code").mkdir()
    monkeypatch.setattr("sys.argv", [str(tmp_path / "code" / "flow.py")])
    (tmp_path / "code" / "flow.py").touch()
    (tmp_path / "beside.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    flow = F(use_cli=False)
    storage = next(each for each in DATASTORES if each.TYPE == "local")
    obj = SimpleNamespace(
        flow=flow,
        environment=MetaflowEnvironment(flow),
        echo=print,
        package_suffixes=[],
        flow_datastore=FlowDataStore("F", None, storage_impl=storage, ds_root=str(tmp_path)),
    )

    made = upstream.upload_package(obj, [importlib.import_module("beside")])

    stored = Path(made.url).read_bytes()
    assert (made.sha, made.size) == (
        hashlib.sha1(stored, usedforsecurity=False).hexdigest(),
        len(stored),
    )
    assert json.loads(made.metadata)["mfcontent_version"] == 1
    with tarfile.open(fileobj=BytesIO(stored)) as archive:
        assert {"flow.py", ".mf_code/beside.py"} <= set(archive.getnames())
    assert (str(tmp_path / "beside.py"), ".mf_code/beside.py") in made.files
