"""A flow that waits for another DAG and for an object."""

from datetime import timedelta

from metaflow import (
    FlowSpec,
    airflow_external_task_sensor,
    airflow_s3_key_sensor,
    schedule,
    step,
)


@schedule(cron="0 6 * * *", timezone="Europe/Berlin")
@airflow_external_task_sensor(
    name="upstream",
    external_dag_id="other",
    execution_delta=timedelta(hours=1),
    mode="poke",
    timeout=300,
    poke_interval=1,
    exponential_backoff=False,
)
@airflow_s3_key_sensor(
    bucket_key="s3://metaflow/sensed/{{ ds }}",
    description="the day's file",
    timeout=300,
    # A worker may outlive its poke by 5 s; Airflow takes a poke in the meantime for a failure.
    poke_interval=8,
    exponential_backoff=False,
    verify=False,
)
class Sensors(FlowSpec):
    """Waits, then works."""

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Sensors()
