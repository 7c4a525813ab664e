"""The second form: another step, no foreach any more, other settings."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, environment, step


class Kept(FlowSpec):
    """start -> other -> end."""

    folder = Parameter("folder", default="")

    @step
    def start(self):
        self.said = "second"
        (Path(self.folder) / "waiting").touch()
        deadline = time.monotonic() + 600
        while not (Path(self.folder) / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody said go")
            time.sleep(0.2)
        self.next(self.other)

    @environment(vars={"SETTING": "second"})
    @step
    def other(self):
        import os

        self.said = os.environ["SETTING"]
        self.next(self.end)

    @step
    def end(self):
        self.said = "second"


if __name__ == "__main__":
    Kept()
