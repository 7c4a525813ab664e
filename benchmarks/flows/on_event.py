# ruff: noqa: D102 - the names say it
"""Two trivial steps that an event starts."""

from metaflow import FlowSpec, Parameter, step, trigger


@trigger(event="bench_flow")
class OnBench(FlowSpec):
    """start -> end."""

    number = Parameter("number", type=int, default=-1)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OnBench()
