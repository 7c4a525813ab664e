"""Started by an event, whose payload sets its parameters."""

from metaflow import FlowSpec, JSONType, Parameter, current, step, trigger


@trigger(event={"name": "rides", "parameters": {"month": "month", "rate": "rate", "cfg": "cfg"}})
class OnEvent(FlowSpec):
    month = Parameter("month", required=True)
    rate = Parameter("rate", type=int, default=1)
    cfg = Parameter("cfg", type=JSONType, default="{}")

    @step
    def start(self):
        self.given = (self.month, self.rate, self.cfg)
        self.event = tuple(current.trigger.event) if "trigger" in current else None
        self.payload = current.trigger.event.payload if "trigger" in current else None
        self.next(self.end)

    @step
    def end(self):
        self.seen_at_the_end = current.trigger.event.name if "trigger" in current else None
        self.logical_date = current.airflow.logical_date
        self.on_airflow = bool(current.airflow)


if __name__ == "__main__":
    OnEvent()
