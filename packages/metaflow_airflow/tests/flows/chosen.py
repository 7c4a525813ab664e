"""A switch."""

from metaflow import FlowSpec, Parameter, step


class Chosen(FlowSpec):
    """start -> one or other -> end."""

    way = Parameter("way", default="one")

    @step
    def start(self):
        self.trail = ["start"]
        self.next({"one": self.one, "other": self.other}, condition="way")

    @step
    def one(self):
        self.trail = [*self.trail, "one"]
        self.next(self.end)

    @step
    def other(self):
        self.trail = [*self.trail, "other"]
        self.next(self.end)

    @step
    def end(self):
        self.trail = [*self.trail, "end"]


if __name__ == "__main__":
    Chosen()
