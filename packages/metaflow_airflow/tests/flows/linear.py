"""One step after another."""

from metaflow import FlowSpec, step


class Linear(FlowSpec):
    """start -> middle -> end."""

    @step
    def start(self):
        self.x = 1
        self.next(self.middle)

    @step
    def middle(self):
        self.x += 1
        self.next(self.end)

    @step
    def end(self):
        self.x += 1


if __name__ == "__main__":
    Linear()
