"""A deployment is tagged with the package and version that its flow comes from."""

import sys

import pytest
from metaflow_airflow.export.installed_package import version_tags


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An environment with the package taxi-flows 1.2.0."""
    folder = tmp_path / "site"
    for path, text in {
        "taxi_flows/__init__.py": "",
        "taxi_flows/train/__init__.py": "",
        "taxi_flows/train/flow.py": "",
        "taxi_flows-1.2.0.dist-info/METADATA": "Name: taxi-flows\nVersion: 1.2.0\n",
        "taxi_flows-1.2.0.dist-info/top_level.txt": "taxi_flows\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    return folder


def test_a_flow_of_an_installed_package(site):
    assert version_tags(site / "taxi_flows" / "train" / "flow.py") == ("taxi-flows-1.2.0",)


def test_a_copy_beside_the_installed_package(site, tmp_path):
    copy = tmp_path / "taxi_flows"
    copy.mkdir()
    (copy / "__init__.py").touch()

    assert version_tags(copy / "flow.py") == ()


def test_a_flow_in_a_folder_of_its_own(tmp_path):
    assert version_tags(tmp_path / "flow.py") == ()
