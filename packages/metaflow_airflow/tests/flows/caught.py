"""A flow whose step waits at its first attempt, and has a fallback for failures."""

import os
import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, catch, step


class Caught(FlowSpec):
    """start (waits once) -> end."""

    folder = Parameter("folder", default="")

    @catch(var="failure")
    @step
    def start(self):
        self.attempt = int(os.environ.get("MF_ATTEMPT", "0"))
        waiting = Path(self.folder) / "waiting"
        if not waiting.exists():
            waiting.touch()
            time.sleep(300)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Caught()
