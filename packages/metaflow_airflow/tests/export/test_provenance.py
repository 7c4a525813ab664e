"""What a plan says of what it is made of."""

import pytest
from metaflow_airflow import __version__
from metaflow_airflow.export import provenance
from metaflow_airflow.plan.dag import Plan
from metaflow_airflow.plan.step import Deployment, PlannedStep, Pod


@pytest.fixture
def known(monkeypatch):
    """A flow of a package, in git."""
    monkeypatch.setattr(provenance, "version_tags", lambda script: ("ml-flows-0.4.1",))
    monkeypatch.setattr(provenance, "commit_of", lambda folder: "1a2b3c with changes")


def plan(*steps, doc=""):
    return Plan("F", "F", Deployment(script="flow.py", tags=("mine",)), steps, doc=doc)


def test_package_commit_and_images_are_said(known, tmp_path):
    pod, other = Pod(image="platform/pod:2.0.0"), Pod(image="platform/gpu:1.0.0")
    steps = [PlannedStep("start", pod=pod), PlannedStep("work", pod=other), PlannedStep("end")]

    found = provenance.with_provenance(plan(*steps, doc="Trains."), tmp_path / "flow.py")

    images = ("image:platform/gpu:1.0.0", "image:platform/pod:2.0.0")
    assert found.deployment.tags == ("mine", "ml-flows-0.4.1", *images)
    assert found.doc == (
        "Trains.\n\nExported from ml-flows-0.4.1, commit 1a2b3c with changes by "
        f"metaflow-airflow {__version__}."
    )


def test_a_flow_outside_of_git_and_packages(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "commit_of", lambda folder: "")

    found = provenance.with_provenance(plan(PlannedStep("start")), tmp_path / "flow.py")

    assert found.deployment.tags == ("mine",)
    assert found.doc == f"Exported by metaflow-airflow {__version__}."
