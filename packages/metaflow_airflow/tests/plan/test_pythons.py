"""What a flow's --environment becomes in the plan and in the DAG file."""

from types import SimpleNamespace

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export import read_flow
from metaflow_airflow.plan.step import Python

FLOW = """
@pypi(python="3.11.9", packages={"iniconfig": "2.0.0"})
@step
def start(self):
    self.next(self.end)

@pypi(disabled=True)
@step
def end(self):
    pass
"""


@pytest.fixture
def pypi(write_flow):
    """The state of a command line with --environment=pypi, as far as it is without network."""
    from metaflow.datastore import FlowDataStore
    from metaflow.decorators import _attach_decorators
    from metaflow.plugins.datastores.local_storage import LocalStorage
    from metaflow.plugins.pypi.pypi_environment import PyPIEnvironment

    flow = write_flow(FLOW)
    environment = PyPIEnvironment(flow)
    _attach_decorators(flow, environment.decospecs())
    for step in flow:
        for decorator in step.decorators:
            decorator.attributes.setdefault("libraries", {})
    environment.datastore_type = "s3"
    environment.datastore = LocalStorage
    environment.logger = print
    return SimpleNamespace(
        flow=flow,
        graph=flow._graph,
        environment=environment,
        flow_datastore=SimpleNamespace(TYPE=FlowDataStore and "s3"),
    )


def test_pypi_names_its_environment_for_the_steps_that_have_one(pypi):
    pythons = read_flow.read_pythons(pypi)

    start = pythons["start"]
    assert start.executable.startswith("$MF_ARCH/")
    assert start.executable.endswith("/bin/python -s")
    assert any("metaflow.plugins.pypi.bootstrap" in command for command in start.bootstrap)
    assert pythons["end"] == Python("python")


def test_pypi_is_refused_where_it_would_resolve_for_another_system(pypi, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(BridgeError, match="resolves packages for the machine that exports"):
        read_flow.read_pythons(pypi)
