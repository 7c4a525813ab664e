"""Started when two events have been published: one by its name, one an asset by its URI."""

from metaflow import FlowSpec, Parameter, current, step, trigger


@trigger(events=["left", {"name": "s3://lake/right", "parameters": [("rows", "rows")]}])
class OnBoth(FlowSpec):
    rows = Parameter("rows", type=int, default=0)

    @step
    def start(self):
        self.names = sorted(event.name for event in current.trigger.events)
        self.given = self.rows
        self.key = current.airflow.partition_key
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OnBoth()
