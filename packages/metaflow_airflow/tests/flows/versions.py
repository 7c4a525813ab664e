"""A flow whose code changes while a run of it waits."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, step

VERSION = 1


class Versions(FlowSpec):
    """start -> end; or more items than Airflow maps over."""

    go = Parameter("go", help="a file for which start waits", default="")
    count = Parameter("count", help="items of the foreach", default=1)

    @step
    def start(self):
        self.started = VERSION
        if self.go:
            Path(self.go).with_suffix(".waiting").touch()
        deadline = time.monotonic() + 300
        while self.go and not Path(self.go).exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody said go")
            time.sleep(0.1)
        self.items = list(range(self.count))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.started = inputs[0].started
        self.next(self.end)

    @step
    def end(self):
        self.ended = VERSION


if __name__ == "__main__":
    Versions()
