"""The first form of a flow that is exported again while it runs."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, environment, step


class Kept(FlowSpec):
    """start -> fan -> work for each of two -> join -> end."""

    folder = Parameter("folder", default="")

    @step
    def start(self):
        self.said = "first"
        (Path(self.folder) / "waiting").touch()
        deadline = time.monotonic() + 600
        while not (Path(self.folder) / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody said go")
            time.sleep(0.2)
        self.next(self.fan)

    @environment(vars={"SETTING": "first"})
    @step
    def fan(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @environment(vars={"SETTING": "first"})
    @step
    def work(self):
        import os

        self.said = os.environ["SETTING"]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.said = inputs[0].said
        self.next(self.end)

    @step
    def end(self):
        self.said = "first"


if __name__ == "__main__":
    Kept()
