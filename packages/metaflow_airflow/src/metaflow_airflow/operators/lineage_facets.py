"""What a step's task tells OpenLineage, where Airflow has the provider for it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import JobFacet, RunFacet, source_code_location_job

from metaflow_airflow.attempt.step_definition import StepDefinition
from metaflow_airflow.lineage import DATASETS
from metaflow_airflow.operators.credentials import credentials
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.wire.task import StepTask

_log = logging.getLogger(__name__)


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
    definition: StepDefinition, task: StepTask, pathspec: str, parameters: Mapping[str, Any]
) -> OperatorLineage[Any, Any]:
    """What is known when it has ended: its Metaflow task, what it read and wrote.

    Args:
        task: the attempt. pathspec: of its Metaflow task, as run/step/task.
    """
    told = of_step(definition)
    whole = f"{task.flow}/{pathspec}"
    told.run_facets["metaflow"] = MetaflowRunFacet(
        pathspec=whole, attempt=task.attempt, parameters=dict(parameters)
    )
    datasets = asyncio.run(_datasets(definition, f"{whole}/{task.attempt}.{DATASETS}"))
    told.inputs += [dataset(InputDataset, uri) for uri in datasets.get("read", ())]
    told.outputs += [dataset(OutputDataset, uri) for uri in datasets.get("wrote", ())]
    return told


async def _datasets(definition: StepDefinition, path: str) -> dict[str, list[str]]:
    conn_id = definition.deployment.connection
    environ = {
        **definition.deployment.environment,
        **os.environ,
        **(credentials(conn_id) if conn_id else {}),
    }
    try:
        content = await Datastore(definition.deployment.datastore_root, environ).read(path)
    except PageError as error:
        _log.warning("OpenLineage is told no datasets of %s: %s", path, error)
        return {}
    return json.loads(content) if content else {}


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
