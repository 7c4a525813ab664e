"""Conditionals: a foreach in one branch, a branch left early, a switch behind a switch."""

from metaflow import FlowSpec, Parameter, step


class Switches(FlowSpec):
    """`way` picks fan (a foreach), deep (another switch) or out (straight to the end)."""

    way = Parameter("way", default="fan")
    inner = Parameter("inner", default="x")

    @step
    def start(self):
        self.trail = ["start"]
        self.next({"fan": self.fan, "deep": self.deep, "out": self.end}, condition="way")

    @step
    def fan(self):
        self.trail = [*self.trail, "fan"]
        self.numbers = [3, 1, 2]
        self.next(self.work, foreach="numbers")

    @step
    def work(self):
        self.square = self.input**2
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.squares = [i.square for i in inputs]
        self.trail = [*inputs[0].trail, "gather"]
        self.next(self.merge)

    @step
    def deep(self):
        self.trail = [*self.trail, "deep"]
        self.next({"x": self.x, "y": self.merge}, condition="inner")

    @step
    def x(self):
        self.trail = [*self.trail, "x"]
        self.next(self.merge)

    @step
    def merge(self):
        self.trail = [*self.trail, "merge"]
        self.next(self.end)

    @step
    def end(self):
        self.trail = [*self.trail, "end"]


if __name__ == "__main__":
    Switches()
