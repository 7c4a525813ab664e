"""Waits in its first step until a file is there."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, step


class Gated(FlowSpec):
    """start (waits for the gate) -> end."""

    gate = Parameter("gate", type=str, required=True)
    n = Parameter("n", type=int, default=1)

    @step
    def start(self):
        while not Path(self.gate).exists():
            time.sleep(0.1)
        self.next(self.end)

    @step
    def end(self):
        self.doubled = 2 * self.n


if __name__ == "__main__":
    Gated()
