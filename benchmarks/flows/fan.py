# ruff: noqa: D102 - the names say it
"""A foreach over items that do nothing, or wait."""

import time

from metaflow import FlowSpec, Parameter, step


class Fan(FlowSpec):
    """start -> item (foreach) -> join -> end."""

    size = Parameter("size", default=50)
    seconds = Parameter("seconds", default=0.0, help="how long an item waits")

    @step
    def start(self):
        self.items = list(range(self.size))
        self.next(self.item, foreach="items")

    @step
    def item(self):
        time.sleep(self.seconds)
        self.square = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.square for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Fan()
