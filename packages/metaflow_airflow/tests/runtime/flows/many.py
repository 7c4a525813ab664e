"""More artifacts than Metaflow saves one by one; writes down which programs are started."""

import os
import sys
from pathlib import Path

from metaflow import FlowSpec, step


def watch(event, arguments):
    if event == "subprocess.Popen":
        with Path(os.environ["STARTED"]).open("a") as file:
            file.write(f"{arguments[1]}\n")


class ManyFlow(FlowSpec):
    @step
    def start(self):
        sys.addaudithook(watch)
        for number in range(12):
            setattr(self, f"number_{number}", number)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ManyFlow()
