"""A foreach over what has no order that another process would know, or no end."""

import os

from metaflow import FlowSpec, step
from metaflow.unbounded_foreach import UnboundedForeachInput


class UnorderedFlow(FlowSpec):
    @step
    def start(self):
        endless = os.environ.get("ZONES") == "endless"
        self.zones = UnboundedForeachInput() if endless else {"a", "b", "c"}
        self.next(self.work, foreach="zones")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    UnorderedFlow()
