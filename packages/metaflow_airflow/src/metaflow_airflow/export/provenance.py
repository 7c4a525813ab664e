"""What a DAG and its runs say of what they are made of: package, commit, images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from metaflow_airflow import __version__
from metaflow_airflow.compat.metaflow_export import commit_of
from metaflow_airflow.export.installed_package import version_tags
from metaflow_airflow.plan.dag import Plan


def with_provenance(plan: Plan, script: Path) -> Plan:
    """The plan with tags for the flow's package and its steps' images, and a sentence in its text.

    Args:
        script: the flow's file.
    """
    packages = version_tags(script)
    images = sorted({f"image:{step.pod.image}" for step in plan.steps() if step.pod})
    tags = dict.fromkeys((*plan.deployment.tags, *packages, *images))
    text = f"{plan.doc}\n\n{_sentence(packages, commit_of(script.parent))}"
    return replace(
        plan, deployment=replace(plan.deployment, tags=tuple(tags)), doc=text.lstrip("\n")
    )


def _sentence(packages: tuple[str, ...], commit: str) -> str:
    """Each version of the DAG in Airflow has one of its own."""
    what = [*packages, *([f"commit {commit}"] if commit else [])]
    source = f" from {', '.join(what)}" if what else ""
    return f"Exported{source} by metaflow-airflow {__version__}."
