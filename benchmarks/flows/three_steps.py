# ruff: noqa: D102 - the names say it
"""Three steps that each take five seconds."""

import time

from metaflow import FlowSpec, step


class ThreeSteps(FlowSpec):
    """start -> middle -> end."""

    @step
    def start(self):
        time.sleep(5)
        self.next(self.middle)

    @step
    def middle(self):
        time.sleep(5)
        self.next(self.end)

    @step
    def end(self):
        time.sleep(5)


if __name__ == "__main__":
    ThreeSteps()
