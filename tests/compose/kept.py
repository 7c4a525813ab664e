"""A flow that is exported again, and taken back, while a run of it waits in its first step."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, step

WAIT = 600  # seconds


class Kept(FlowSpec):
    """start -> first -> end."""

    folder = Parameter("folder", default="/tmp", help="where `go` will be")

    @step
    def start(self):
        print("the first version waits")
        deadline = time.monotonic() + WAIT
        while not (Path(self.folder) / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody said go")
            time.sleep(0.2)
        self.next(self.first)

    @step
    def first(self):
        print("the first version's own step")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Kept()
