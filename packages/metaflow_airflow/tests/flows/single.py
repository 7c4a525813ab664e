"""A flow of one step."""

from metaflow import FlowSpec, step


class Single(FlowSpec):
    """Just `only`."""

    @step
    def only(self):
        self.x = 1


if __name__ == "__main__":
    Single()
