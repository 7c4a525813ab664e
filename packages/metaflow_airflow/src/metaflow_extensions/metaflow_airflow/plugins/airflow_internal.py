"""The decorator that every step gets on Airflow: says which of its task instances it is."""

import json
import os
import sys
from collections.abc import KeysView, Set
from pathlib import Path
from typing import Any

from metaflow.decorators import StepDecorator
from metaflow.exception import MetaflowException
from metaflow.metadata_provider import MetaDatum
from metaflow.unbounded_foreach import UnboundedForeachInput
from metaflow_airflow import asset_extras, lineage
from metaflow_airflow.airflow_run import AirflowRun
from metaflow_airflow.compat.metaflow_current import set_current, set_retry_count, trigger_of
from metaflow_airflow.compat.metaflow_export import first_and_last, own_flow_decorators
from metaflow_airflow.wire.handshake import DATASETS_VARIABLE
from metaflow_airflow.wire.task import ASSETS, RETRY_COUNT_VARIABLE

_METADATA = {
    "airflow-dag-id": "METAFLOW_AIRFLOW_DAG_ID",
    "airflow-dag-run-id": "METAFLOW_AIRFLOW_DAG_RUN_ID",
    "airflow-task-id": "METAFLOW_AIRFLOW_TASK_ID",
    "airflow-map-index": "METAFLOW_AIRFLOW_MAP_INDEX",
    "airflow-try-number": "METAFLOW_AIRFLOW_TRY_NUMBER",
}

# Metaflow loads this module whatever runs: `current.airflow` is there under `run` too, and empty.
set_current("airflow", AirflowRun())


def _keep_asset_extras(flow: Any) -> None:
    """Leave what the events of the flow's own assets carry, for the task that publishes them."""
    assets = [each.attributes for each in own_flow_decorators(flow).get("airflow_asset", ())]
    names = {each["extra"] for each in assets if each["extra"]}
    artifacts = {name: getattr(flow, name) for name in names if hasattr(flow, name)}
    found, problems = asset_extras.extras(assets, artifacts)
    for problem in problems:
        print(problem, file=sys.stderr)
    if found:
        setattr(flow, ASSETS, found)


class AirflowInternalDecorator(StepDecorator):
    """Records the Airflow task instance with the task; sets what no DAG file may show."""

    name = "airflow_internal"

    def task_pre_step(
        self,
        step_name: str,
        task_datastore: Any,
        metadata: Any,
        run_id: str,
        task_id: str,
        flow: Any,
        graph: Any,
        retry_count: int,
        max_user_code_retries: int,
        ubf_context: Any,
        inputs: Any,
    ) -> None:
        """Register the task instance; set what @environment asks for and the DAG file left out."""
        set_current("airflow", AirflowRun.from_variables(os.environ))
        # An attempt that the infrastructure lost is none of the step's own.
        set_retry_count(int(os.environ.get(RETRY_COUNT_VARIABLE, retry_count)))
        values = {
            field: os.environ[variable]
            for field, variable in _METADATA.items()
            if variable in os.environ
        }
        if triggers := json.loads(os.environ.get("METAFLOW_AIRFLOW_TRIGGERS", "[]")):
            set_current("trigger", trigger_of(triggers))
            if step_name == graph.start_step:
                plain = [{k: v for k, v in each.items() if k != "payload"} for each in triggers]
                values["execution-triggers"] = json.dumps(plain)
        metadata.register_metadata(
            run_id,
            step_name,
            task_id,
            [
                MetaDatum(field=field, value=value, type=field, tags=[f"attempt_id:{retry_count}"])
                for field, value in values.items()
            ],
        )
        for decorator in graph[step_name].decorators:
            if decorator.name == "environment":
                values = dict(decorator.attributes["vars"])
                # Stands before Python starts, and the launcher has put the code package before it.
                values.pop("PYTHONPATH", None)
                os.environ.update({key: str(value) for key, value in values.items()})

    def task_post_step(
        self,
        step_name: str,
        flow: Any,
        graph: Any,
        retry_count: int,
        max_user_code_retries: int,
    ) -> None:
        """Refuse a foreach over what has no order that each task's process knows, or no end."""
        self._save_datasets()
        if step_name == first_and_last(graph)[1]:
            _keep_asset_extras(flow)
        node = graph[step_name]
        items = getattr(flow, node.foreach_param) if node.type == "foreach" else None
        if isinstance(items, Set) and not isinstance(items, KeysView):
            raise MetaflowException(
                f"The foreach of step *{step_name}* goes over *self.{node.foreach_param}*, a "
                f"{type(items).__name__}, whose order differs between processes: items would run "
                "twice or never. Make it a list, such as sorted(…)."
            )
        if isinstance(items, UnboundedForeachInput):
            raise MetaflowException(
                f"The foreach of step *{step_name}* goes over *self.{node.foreach_param}*, which "
                "says no number of items (unbounded foreach): that is not supported on Airflow, "
                "which maps over a list. Make it one."
            )

    def task_exception(
        self,
        exception: Exception,
        step_name: str,
        flow: Any,
        graph: Any,
        retry_count: int,
        max_user_code_retries: int,
    ) -> bool:
        """Keep what a step that failed had read and written; it stays failed."""
        self._save_datasets()
        return False

    def _save_datasets(self) -> None:
        datasets = lineage.said()
        file = os.environ.get(DATASETS_VARIABLE)
        if file and any(datasets.values()):
            # No artifact: later steps would inherit it, joins would have to merge it.
            Path(file).write_text(json.dumps(datasets))
