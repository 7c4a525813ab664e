"""Buttons beside a task in Airflow's page, as each class of operator has them."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from metaflow_airflow import urls
from metaflow_airflow.operators import links

# Airflow's classes have their links when they are made, by the process's own variables.
_BUTTONS = """
from metaflow_airflow.operators.pod_triggerer import MetaflowPodOperator
from metaflow_airflow.operators.process import MetaflowProcessOperator
for each in MetaflowProcessOperator, MetaflowPodOperator:
    print(*(link.name for link in each.operator_extra_links), sep=",")
"""


@pytest.mark.parametrize(
    ("variables", "buttons"),
    [
        ({}, ["", ""]),
        ({urls.UI: "https://ui"}, ["Metaflow UI", "Metaflow UI"]),
        ({urls.POD: "https://pods/{name}"}, ["", "Pod"]),
        ({urls.UI: "https://ui", urls.POD: "x"}, ["Metaflow UI", "Metaflow UI,Pod"]),
    ],
)
def test_a_site_has_the_buttons_whose_pages_it_has(variables, buttons, monkeypatch):
    for name in (urls.UI, urls.POD):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    done = subprocess.run(
        [sys.executable, "-c", _BUTTONS], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-2:] == buttons, done.stderr


def test_a_button_leads_to_what_the_task_has_left(monkeypatch):
    monkeypatch.setenv(urls.UI, "https://ui/")
    monkeypatch.setenv(urls.POD, "https://pods/#/{namespace}/{name}")

    task: Any = SimpleNamespace(
        links=links.ui_link("Flow", "1/fit/t") | links.pod_link("team a", "fit-1")
    )
    key: Any = None

    assert links.MetaflowUiLink().get_link(task, ti_key=key) == "https://ui/Flow/1/fit/t"
    assert links.PodLink().get_link(task, ti_key=key) == "https://pods/#/team%20a/fit-1"
    task.links = {}
    assert links.PodLink().get_link(task, ti_key=key) == ""
