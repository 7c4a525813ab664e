"""Branches in a branch, joined by merge_artifacts."""

from metaflow import FlowSpec, step


class Branches(FlowSpec):
    """start -> (left -> (left_a | left_b) -> left_join) | right -> join -> end."""

    @step
    def start(self):
        self.base = 10
        self.next(self.left, self.right)

    @step
    def left(self):
        self.next(self.left_a, self.left_b)

    @step
    def left_a(self):
        self.a = self.base + 1
        self.next(self.left_join)

    @step
    def left_b(self):
        self.b = self.base + 2
        self.next(self.left_join)

    @step
    def left_join(self, inputs):
        self.merge_artifacts(inputs)
        self.next(self.join)

    @step
    def right(self):
        self.c = self.base + 3
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs)
        self.total = self.a + self.b + self.c
        self.next(self.end)

    @step
    def end(self):
        self.done = self.total == 36


if __name__ == "__main__":
    Branches()
