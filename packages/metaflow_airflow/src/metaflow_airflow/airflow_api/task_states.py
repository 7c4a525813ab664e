"""What Airflow says of the task instances that pods belong to."""

from __future__ import annotations

from collections.abc import Callable

from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError, NotFoundError
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.pods.names import SITE_VARIABLE, site_label


def site_of(client: AirflowClient) -> str | None:
    """That of the Airflow that is asked; None while it has had no pod."""
    try:
        return site_label(client.variable(SITE_VARIABLE))
    except NotFoundError:
        return None
    except AirflowError as error:
        raise BridgeError(
            f"Airflow's variable {SITE_VARIABLE}, by which its pods are known, cannot be read: "
            f"{error} Say whose pods you mean with --site."
        ) from error


def task_states(
    client: AirflowClient, dag_id: str
) -> Callable[[str, str, int], tuple[str, int] | None]:
    """Answers state and try number of a task instance, by run, task and map index."""
    runs: dict[str, dict[tuple[str, int], tuple[str, int]]] = {}

    def state_of(run_id: str, task_id: str, index: int) -> tuple[str, int] | None:
        if run_id not in runs:
            runs[run_id] = _states_of_run(client, dag_id, run_id)
        return runs[run_id].get((task_id, index))

    return state_of


def _states_of_run(
    client: AirflowClient, dag_id: str, run_id: str
) -> dict[tuple[str, int], tuple[str, int]]:
    if run_id not in {run["dag_run_id"] for run in client.runs(dag_id)}:
        return {}  # deleted, or another Airflow's
    return {
        (each["task_id"], each["map_index"]): (str(each["state"]), each["try_number"])
        for each in client.task_instances(dag_id, run_id)
    }
