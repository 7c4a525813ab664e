"""A foreach whose items take their time."""

import time

from metaflow import FlowSpec, Parameter, step


class Limited(FlowSpec):
    """start -> work[i] -> join -> end."""

    count = Parameter("count", help="items", default=3)
    seconds = Parameter("seconds", help="for each of them", default=2.0)

    @step
    def start(self):
        self.items = list(range(self.count))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        time.sleep(self.seconds)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Limited()
