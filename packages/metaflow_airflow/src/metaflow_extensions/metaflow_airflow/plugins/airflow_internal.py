"""The decorator that every step gets on Airflow: tells the launcher what Airflow must know."""

import json
import os
from pathlib import Path
from typing import Any

from metaflow.decorators import StepDecorator
from metaflow.metadata_provider import MetaDatum

RESULT_VARIABLE = "METAFLOW_AIRFLOW_RESULT"
_METADATA = {
    "airflow-dag-id": "METAFLOW_AIRFLOW_DAG_ID",
    "airflow-dag-run-id": "METAFLOW_AIRFLOW_DAG_RUN_ID",
    "airflow-task-id": "METAFLOW_AIRFLOW_TASK_ID",
    "airflow-map-index": "METAFLOW_AIRFLOW_MAP_INDEX",
    "airflow-try-number": "METAFLOW_AIRFLOW_TRY_NUMBER",
}


class AirflowInternalDecorator(StepDecorator):
    """Records the Airflow task instance with the task; reports cardinality and choice."""

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
        metadata.register_metadata(
            run_id,
            step_name,
            task_id,
            [
                MetaDatum(
                    field=field,
                    value=os.environ[variable],
                    type=field,
                    tags=[f"attempt_id:{retry_count}"],
                )
                for field, variable in _METADATA.items()
                if variable in os.environ
            ],
        )
        for decorator in graph[step_name].decorators:
            if decorator.name == "environment":
                for key, value in decorator.attributes["vars"].items():
                    os.environ.setdefault(key, str(value))

    def task_finished(
        self,
        step_name: str,
        flow: Any,
        graph: Any,
        is_task_ok: bool,
        retry_count: int,
        max_user_code_retries: int,
    ) -> None:
        """Write how many items a foreach made, or which step a switch chose."""
        result = os.environ.get(RESULT_VARIABLE)
        if not result or not is_task_ok:
            return
        kind = graph[step_name].type
        if kind == "foreach":
            Path(result).write_text(json.dumps({"cardinality": flow._foreach_num_splits}))
        elif kind == "split-switch":
            Path(result).write_text(json.dumps({"choice": flow._transition[0][0]}))
