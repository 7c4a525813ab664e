# ruff: noqa: D102 - the names say it
"""A flow as many are: branches, a foreach with two steps in its body, a retried step."""

from metaflow import FlowSpec, Parameter, retry, step


class Typical(FlowSpec):
    """start -> (trips | zones) -> merge -> search (foreach) -> train -> score -> pick -> end."""

    month = Parameter("month", default="2024-01", help="the month to learn from")

    @step
    def start(self):
        self.next(self.trips, self.zones)

    @step
    def trips(self):
        self.rows = 1
        self.next(self.merge)

    @step
    def zones(self):
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.merge_artifacts(inputs)
        self.next(self.search)

    @step
    def search(self):
        self.depths = [2, 4, 8]
        self.next(self.train, foreach="depths")

    @retry(times=2)
    @step
    def train(self):
        self.next(self.score)

    @step
    def score(self):
        self.next(self.pick)

    @step
    def pick(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Typical()
