"""Every shape of a graph in one flow: branch, foreach in foreach, switch."""

from metaflow import FlowSpec, Parameter, step


class ShapesFlow(FlowSpec):  # type: ignore[misc, unused-ignore]
    scale = Parameter("scale", default=10)

    @step
    def start(self):
        self.begun = ["start"]
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.from_left = self.scale * 1
        self.next(self.both)

    @step
    def right(self):
        self.side = "right"
        self.from_right = self.scale * 2
        self.next(self.both)

    @step
    def both(self, inputs):
        # A bare run gives them in the order in which they ended.
        self.sides = sorted(each.side for each in inputs)
        self.merge_artifacts(inputs, exclude=["side"])
        self.next(self.fan)

    @step
    def fan(self):
        self.outer_items = ["x", "y"]
        self.next(self.outer, foreach="outer_items")

    @step
    def outer(self):
        self.outer_index = self.index
        self.inner_items = [f"{self.input}{number}" for number in range(self.index + 1)]
        self.next(self.inner, foreach="inner_items")

    @step
    def inner(self):
        self.stack = [tuple(frame) for frame in self.foreach_stack()]
        self.label = f"{self.input}@{self.index}"
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.labels = [each.label for each in inputs]
        self.outer_index = inputs[0].outer_index
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.all_labels = [each.labels for each in inputs]
        self.order = [each.outer_index for each in inputs]
        self.next(self.decide)

    @step
    def decide(self):
        self.way = "short" if len(self.order) == 2 else "long"
        self.next({"short": self.direct, "long": self.detour}, condition="way")

    @step
    def direct(self):
        self.gone = "direct"
        self.next(self.end)

    @step
    def detour(self):
        self.gone = "detour"
        self.next(self.end)

    @step
    def end(self):
        print("gone", self.gone, self.all_labels)


if __name__ == "__main__":
    ShapesFlow()
