"""@exit_hook as the plan has it."""

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph.flow_graph import Decorator, Graph
from metaflow_airflow.plan.exit_hooks import read_hooks
from metaflow_airflow.plan.step import ExitHooks


def hook(on_success=(), on_error=()):
    return Decorator("exit_hook", {"on_success": list(on_success), "on_error": list(on_error)})


def notify():
    pass


notify.__module__ = "__main__"  # as in a flow's file that runs


def page():
    pass


page.__module__ = "alerts"


def read(*decorators):
    return read_hooks(Graph("Flow", "start", "end", {}, decorators=decorators))


def test_functions_and_names_of_all_decorators_stand_in_their_order():
    found = read(hook([notify, "team.hooks.cheer"]), hook(["again"], [page]))
    assert found == ExitHooks(("notify", "team.hooks.cheer", "again"), ("alerts.page",))


def test_a_flow_without_hooks_has_none():
    assert read() is None


def test_a_decorator_that_names_no_function_is_refused():
    with pytest.raises(BridgeError, match="names no function"):
        read(hook())
