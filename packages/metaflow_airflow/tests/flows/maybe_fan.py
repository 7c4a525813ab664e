"""A nested foreach that only some items of the outer one reach."""

from metaflow import FlowSpec, Parameter, step


class MaybeFan(FlowSpec):
    """Each item is small or big; the big ones fan out again."""

    big_from = Parameter("big_from", default=2)

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.sort, foreach="items")

    @step
    def sort(self):
        self.size = "big" if self.input >= self.big_from else "small"
        self.next({"big": self.split, "small": self.small}, condition="size")

    @step
    def split(self):
        self.parts = list(range(self.input))
        self.next(self.part, foreach="parts")

    @step
    def part(self):
        self.value = (self.input, self.index)
        self.next(self.whole)

    @step
    def whole(self, inputs):
        self.values = [i.value for i in inputs]
        self.next(self.sorted)

    @step
    def small(self):
        self.values = ["small"]
        self.next(self.sorted)

    @step
    def sorted(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [i.values for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.count = len(self.all)


if __name__ == "__main__":
    MaybeFan()
