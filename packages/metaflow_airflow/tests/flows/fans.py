"""A foreach in a foreach, in which one item can be broken."""

from pathlib import Path

from metaflow import FlowSpec, Parameter, current, step


class Fans(FlowSpec):
    """start -> outer[i] -> work[i, k] -> gather[i] -> end."""

    broken = Parameter("broken", help="a file; while it is there, item 1, 0 is broken", default="")

    @step
    def start(self):
        self.sizes = [2, 1]
        self.next(self.outer, foreach="sizes")

    @step
    def outer(self):
        self.parts = [f"{self.index}{letter}" for letter in "abc"[: self.input]]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        if self.input == "1a" and self.broken and Path(self.broken).is_file():
            raise ValueError("item 1, 0 is broken")
        self.attempt = current.retry_count
        self.value = self.input.upper()
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.values = [i.value for i in inputs]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [i.values for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Fans()
