"""Parameters of each type, each given or left."""

from metaflow import FlowSpec, JSONType, Parameter, step


def name_by_default(context):
    return f"{context.flow_name}'s"


class Given(FlowSpec):
    """start -> end."""

    text = Parameter("text", default="as it was")
    number = Parameter("number", default=1, type=int)
    ratio = Parameter("ratio", default=0.5)
    wanted = Parameter("wanted", default=True, type=bool)
    data = Parameter("data", default={"a": [1]}, type=JSONType)
    named = Parameter("named", default=name_by_default, type=str)
    left = Parameter("left", type=int)

    @step
    def start(self):
        self.types = [
            type(value).__name__
            for value in (self.text, self.number, self.ratio, self.wanted, self.data, self.left)
        ]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Given()
