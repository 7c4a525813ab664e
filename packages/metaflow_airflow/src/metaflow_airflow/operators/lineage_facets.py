"""What a step's task tells OpenLineage, where Airflow has the provider for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import JobFacet, RunFacet, source_code_location_job

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.wire.task import StepResult, StepTask


@attr.define
class MetaflowRunFacet(RunFacet):
    """The Metaflow task that an Airflow task instance runs.

    Args:
        pathspec: flow/run/step/task. parameters: of the DAG run.
    """

    pathspec: str
    attempt: int
    parameters: dict[str, Any]


@attr.define
class MetaflowJobFacet(JobFacet):
    """The step of a flow that an Airflow task is.

    Args:
        owner: who deployed it. metaflow: tags of its runs.
    """

    flow: str
    step: str
    owner: str
    tags: list[str]


def of_step(definition: StepDefinition) -> OperatorLineage[Any, Any]:
    """What is known before the step runs: the flow, its step, its source."""
    deployment = definition.deployment
    return OperatorLineage(
        job_facets={
            "metaflow": MetaflowJobFacet(
                flow=definition.flow,
                step=definition.step.name,
                owner=deployment.owner,
                tags=list(deployment.tags),
            ),
            "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
                type="metaflow code package", url=deployment.code, path=deployment.script
            ),
        }
    )


def of_attempt(
    definition: StepDefinition, task: StepTask, result: StepResult, parameters: Mapping[str, Any]
) -> OperatorLineage[Any, Any]:
    """What is known when it has ended: its Metaflow task, what it read and wrote.

    Args:
        task: the attempt.
    """
    told = of_step(definition)
    told.run_facets["metaflow"] = MetaflowRunFacet(
        pathspec=f"{task.flow}/{task.pathspec_of(result)}",
        attempt=task.attempt,
        parameters=dict(parameters),
    )
    told.inputs += [dataset(InputDataset, uri) for uri in result.read or ()]
    told.outputs += [dataset(OutputDataset, uri) for uri in result.wrote or ()]
    return told


def dataset(kind: type[Dataset], uri: str) -> Any:
    """By OpenLineage's naming: s3://bucket/key is `key` in the namespace s3://bucket."""
    parts = urlsplit(uri)
    if not parts.netloc:
        return kind(namespace=parts.scheme or "file", name=parts.path)
    name = parts.path.lstrip("/") or "/"
    return kind(
        namespace=f"{parts.scheme}://{parts.netloc}",
        name=f"{name}?{parts.query}" if parts.query else name,
    )
