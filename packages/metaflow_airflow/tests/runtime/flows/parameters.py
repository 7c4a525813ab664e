"""Parameters of every type, a Config, a step with another name than start."""

from metaflow import Config, FlowSpec, JSONType, Parameter, current, step


class ParametersFlow(FlowSpec):  # type: ignore[misc, unused-ignore]
    text = Parameter("text", default="unset")
    empty = Parameter("empty", default="not empty")
    whole = Parameter("whole", default=1)
    real = Parameter("real-number", default=0.5)
    yes = Parameter("yes", default=False)
    no = Parameter("no", default=True)
    data = Parameter("data", type=JSONType, default="[]")
    null = Parameter("null", type=JSONType, default="[1]")
    words = Parameter("words", default="a,b", separator=",")
    nothing = Parameter("nothing", default=None)
    retry_count = Parameter("retry_count", default="mine")
    needed = Parameter("needed", required=True)
    config = Config("config", default_value={"depth": 3})

    @step
    def start(self):
        self.depth = self.config.depth
        self.names = sorted(current.parameter_names)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ParametersFlow()
