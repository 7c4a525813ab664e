"""Started by the end of another flow, whose data it reads."""

from metaflow import FlowSpec, airflow_asset, current, retry, step, trigger_on_finish


@airflow_asset(uri="s3://lake/reports", extra="report")
@trigger_on_finish(flow="OnEvent")
class OnFinish(FlowSpec):
    @step
    def start(self):
        self.upstream = current.trigger.run.pathspec
        self.month = current.trigger.run.data.month
        self.kinds = [event.type for event in current.trigger.events]
        self.by_name = current.trigger["OnEvent"].pathspec
        self.next(self.end)

    @retry(times=1, minutes_between_retries=0)
    @step
    def end(self):
        if current.retry_count == 0:
            raise ValueError("the first attempt fails, and publishes nothing")
        self.report = {"month": self.month, "version": 7}


if __name__ == "__main__":
    OnFinish()
