"""A step that ends badly, in a way that the run's trigger chooses."""

import time

from metaflow import FlowSpec, Parameter, step


class Troubled(FlowSpec):
    """start -> end."""

    how = Parameter("how", default="", help="memory, wait or nothing")

    @step
    def start(self):
        if self.how == "memory":
            self.hoard = bytearray(1 << 30)
        if self.how == "wait":
            time.sleep(300)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Troubled()
