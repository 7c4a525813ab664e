# ruff: noqa: D102 - the names say it
"""Three steps that do nothing."""

from metaflow import FlowSpec, step


class ThreeTrivial(FlowSpec):
    """start -> middle -> end."""

    @step
    def start(self):
        self.next(self.middle)

    @step
    def middle(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ThreeTrivial()
