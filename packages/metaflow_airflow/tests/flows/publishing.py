"""Publishes events from within a step, by Metaflow's own class and by the bridge's function."""

from metaflow import FlowSpec, step
from metaflow.integrations import ArgoEvent


class Publishing(FlowSpec):
    @step
    def start(self):
        from metaflow_airflow import events

        ArgoEvent("rides").add_to_payload("month", "argo").publish()
        ArgoEvent("rides").safe_publish({"month": "safe"})
        ArgoEvent("nobody waits for this").publish({"month": "lost"})
        self.by_us = events.publish("rides", {"month": "ours"})
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Publishing()
