"""A switch that chooses itself, after a step and for each item of a foreach."""

from metaflow import FlowSpec, current, step


class Looped(FlowSpec):
    """halve until 1 is left; count up for each item."""

    @step
    def start(self):
        self.number, self.trail = 8, []
        self.next(self.halve)

    @step
    def halve(self):
        """Takes its own last task as input until it chooses another step."""
        self.number //= 2
        self.trail = [*self.trail, self.number]
        self.way = "again" if self.number > 1 else "out"
        self.next({"again": self.halve, "out": self.fan}, condition="way")

    @step
    def fan(self):
        self.goals = [1, 3]
        self.next(self.begin, foreach="goals")

    @step
    def begin(self):
        self.goal, self.count = self.input, 0
        self.next(self.climb)

    @step
    def climb(self):
        self.count += 1
        self.seen = (self.index, self.count, current.step_name)
        self.way = "up" if self.count < self.goal else "top"
        self.next({"up": self.climb, "top": self.reached}, condition="way")

    @step
    def reached(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.counts = [each.count for each in inputs]
        self.trail = inputs[0].trail
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Looped()
