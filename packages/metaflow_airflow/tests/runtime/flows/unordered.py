"""A foreach over what has no order that another process would know."""

from metaflow import FlowSpec, step


class UnorderedFlow(FlowSpec):
    @step
    def start(self):
        self.zones = {"a", "b", "c"}
        self.next(self.work, foreach="zones")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    UnorderedFlow()
