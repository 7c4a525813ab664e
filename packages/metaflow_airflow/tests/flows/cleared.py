"""A flow whose switch and foreach may turn out otherwise when they are cleared."""

from pathlib import Path

from metaflow import FlowSpec, Parameter, current, step


class Cleared(FlowSpec):
    """start reads from a file what the run does this time."""

    plan = Parameter("plan", default="")

    @step
    def start(self):
        self.way, count = Path(self.plan).read_text().split()
        self.items = list(range(int(count)))
        self.next({"fan": self.fan, "flat": self.flat}, condition="way")

    @step
    def fan(self):
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.value = self.input
        self.attempt = current.retry_count
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [i.value for i in inputs]
        self.next(self.merge)

    @step
    def flat(self):
        self.next(self.flat_2)

    @step
    def flat_2(self):
        self.values = ["flat"]
        self.next(self.merge)

    @step
    def merge(self):
        self.attempt = current.retry_count
        self.task = current.task_id
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Cleared()
