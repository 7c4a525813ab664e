"""A foreach in a foreach."""

from metaflow import FlowSpec, step


class Fans(FlowSpec):
    """start -> outer[i] -> work[i, k] -> gather[i] -> join -> end."""

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
