"""A flow that an ML engineer exports twice, with another text."""

from metaflow import FlowSpec, step


class Greeting(FlowSpec):
    """start -> end."""

    @step
    def start(self):
        print("the first greeting")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Greeting()
