"""A step that ends badly, in a way that the run's trigger chooses."""

import time
from itertools import count
from pathlib import Path

from metaflow import FlowSpec, Parameter, step


class Troubled(FlowSpec):
    """start -> end."""

    how = Parameter("how", default="", help="memory, steady or nothing")

    @step
    def start(self):
        if self.how == "memory":
            self.hoard = bytearray(1 << 30)
        if self.how == "steady":  # until somebody has had enough of it
            for second in count():
                print("second", second)
                time.sleep(1)
                if Path("/tmp/enough").exists():
                    break
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Troubled()
