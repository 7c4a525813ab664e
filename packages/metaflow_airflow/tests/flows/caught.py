"""A flow whose step waits at its first attempt, and has a fallback for failures."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, catch, current, step


class Caught(FlowSpec):
    """start (waits once) -> end."""

    folder = Parameter("folder", default="")

    @catch(var="failure")
    @step
    def start(self):
        self.attempt = current.retry_count
        if not current.retry_count:
            (Path(self.folder) / "waiting").touch()
            time.sleep(300)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Caught()
