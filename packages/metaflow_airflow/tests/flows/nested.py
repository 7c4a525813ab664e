"""Three levels of foreach with branches, bodies of several steps and a conditional inside."""

from metaflow import FlowSpec, Parameter, step


class Nested(FlowSpec):
    """regions -> shops -> (stock | staff) -> days -> one of three ways -> joined three times."""

    size = Parameter("size", default=2, help="items at each level")

    @step
    def start(self):
        self.regions = [f"r{i}" for i in range(self.size)]
        self.next(self.region, foreach="regions")

    @step
    def region(self):
        self.region_name = self.input
        self.shops = [f"{self.input}s{i}" for i in range(self.index + 1)]
        self.next(self.shop, foreach="shops")

    @step
    def shop(self):
        self.shop_name = self.input
        self.next(self.stock, self.staff)

    @step
    def stock(self):
        self.stock_level = len(self.shop_name)
        self.next(self.shop_join)

    @step
    def staff(self):
        self.staff_count = self.index + 1
        self.next(self.shop_join)

    @step
    def shop_join(self, inputs):
        self.merge_artifacts(inputs)
        self.next(self.open_days)

    @step
    def open_days(self):
        self.days = list(range(self.staff_count))
        self.next(self.day, foreach="days")

    @step
    def day(self):
        self.stack = [(frame.step, frame.index, frame.value) for frame in self.foreach_stack_()]
        self.kind = "closed" if self.input == 0 else "open"
        self.next({"closed": self.closed, "open": self.sell}, condition="kind")

    @step
    def closed(self):
        self.sold = 0
        self.next(self.day_end)

    @step
    def sell(self):
        self.sold = self.input * 10 + self.stock_level
        self.next(self.day_end)

    @step
    def day_end(self):
        self.label = f"{self.shop_name}d{self.input}={self.sold}"
        self.next(self.days_join)

    @step
    def days_join(self, inputs):
        self.labels = [i.label for i in inputs]
        self.stacks = [i.stack for i in inputs]
        self.next(self.shops_join)

    @step
    def shops_join(self, inputs):
        self.labels = [i.labels for i in inputs]
        self.stacks = [i.stacks for i in inputs]
        self.next(self.after_shops)

    @step
    def after_shops(self):
        self.count = sum(len(labels) for labels in self.labels)
        self.next(self.regions_join)

    @step
    def regions_join(self, inputs):
        self.labels = [i.labels for i in inputs]
        self.counts = [i.count for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.total = sum(self.counts)

    def foreach_stack_(self):
        return self._foreach_stack


if __name__ == "__main__":
    Nested()
