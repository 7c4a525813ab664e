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
    name="upstream", external_dag_id="other", execution_delta=timedelta(hours=1), timeout=60
)
@airflow_s3_key_sensor(bucket_key="s3://bucket/key", description="the day's file")
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
