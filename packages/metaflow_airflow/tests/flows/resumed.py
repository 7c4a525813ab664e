"""A flow that fails in one item of a nested foreach, until it is told otherwise."""

from pathlib import Path

from metaflow import FlowSpec, Parameter, current, step


class Resumed(FlowSpec):
    """start -> outer[i] -> work[i, k] -> gather[i] -> collect -> decide -> more | enough -> end."""

    strict = Parameter("strict", help="whether a broken item fails", default=True, type=bool)
    broken = Parameter("broken", help="a file; while it is there, item 1, 0 is broken", default="")
    scale = Parameter("scale", default=10)

    @step
    def start(self):
        self.by = current.run_id
        self.sizes = [2, 1]
        self.next(self.outer, foreach="sizes")

    @step
    def outer(self):
        self.by = current.run_id
        self.parts = list(range(self.input))
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.by = current.run_id
        place = [index for index, _, _ in self.foreach_stack()]
        if place == [1, 0] and self.strict and Path(self.broken).is_file():
            raise ValueError("item 1, 0 is broken")
        self.value = self.scale * place[0] + place[1]
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.by = current.run_id
        self.values = [i.value for i in inputs]
        self.merge_artifacts(inputs, include=["sizes"])
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.by = current.run_id
        self.values = [i.values for i in inputs]
        self.next(self.decide)

    @step
    def decide(self):
        self.by = current.run_id
        self.way = "more" if len(self.values) > 1 else "enough"
        self.next({"more": self.more, "enough": self.enough}, condition="way")

    @step
    def more(self):
        self.by = current.run_id
        self.next(self.end)

    @step
    def enough(self):
        self.by = current.run_id
        self.next(self.end)

    @step
    def end(self):
        self.by = current.run_id
        self.by_strict = self.strict


if __name__ == "__main__":
    Resumed()
