"""Once a day, removes old records, logs and leftovers of steps from the containers' Airflow.

DAG versions without runs and old datasets lie in S3, where a task may not remove them:
`stack clean --target compose` does, with the keys of those who deploy.
"""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

with DAG(
    "platform_clean",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["platform"],
    doc_md=__doc__,
    params={
        "days": Param(30, type="number", minimum=1, description="how old what is removed is"),
        "dry_run": Param(False, type="boolean", description="only say what would be removed"),
    },
):
    # A task has no access to Airflow's database: the container's entry point builds it anew.
    BashOperator(
        task_id="clean",
        bash_command=(
            "python -m airflow_service.container clean --days {{ params.days }}"
            "{{ ' --dry-run' if params.dry_run else '' }}"
        ),
    )
