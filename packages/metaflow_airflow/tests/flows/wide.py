"""A flow with much of what Metaflow has beside steps: mutators, Config, files, cards, secrets."""

import os

from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    IncludeFile,
    JSONType,
    Parameter,
    StepMutator,
    card,
    config_expr,
    current,
    environment,
    get_namespace,
    project,
    retry,
    secrets,
    step,
    user_step_decorator,
)

SECRET = [{"type": "inline", "id": "word", "options": {"env_vars": {"WORD": "abracadabra"}}}]


class Widen(FlowMutator):
    """Adds a parameter, and a retry to every step."""

    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("added", Parameter("added", default=43))

    def mutate(self, mutable_flow):
        for _, each in mutable_flow.steps:
            kwargs = {"times": 1, "minutes_between_retries": 0}
            each.add_decorator(retry, deco_kwargs=kwargs)


class Placed(StepMutator):
    """Sets a variable for its step."""

    def mutate(self, mutable_step):
        mutable_step.add_decorator(environment, deco_kwargs={"vars": {"PLACED": "here"}})


@user_step_decorator
def stamped(step_name, flow, inputs=None, attributes=None):
    flow.before = step_name
    yield
    flow.after = flow.before.upper()


@Widen
@project(name="wide")
class Wide(FlowSpec):
    """start -> work[i] -> join -> end; {{ ds }}, {% if %} and '''quotes''' are text."""

    text = Parameter("text", help="without a default")
    needed = Parameter("needed", required=True)
    number = Parameter("a-number", default=0.5)
    retry_count = Parameter("retry_count", help="a name that Metaflow uses too", default=3)
    sure = Parameter("sure", default=True, type=bool)
    data = Parameter("data", default='{"a": [1, null]}', type=JSONType)
    plain = Parameter("plain", default={"a": [1, None]}, type=JSONType)
    made = Parameter(
        "made", default=lambda context: f"{context.flow_name} {context.parameter_name}"
    )
    letters = Parameter("letters", default="a,b", separator=",")
    endless = Parameter("endless", default=float("inf"))
    braces = Parameter("Braces", default="{{ ds }} {% if %}", help='{{ \'quoted\' }}: """ü"""')
    table = IncludeFile("table", default=__file__)
    config = Config("config", default_value={"place": "deep", "items": ["x", "y"]})

    def look(self):
        self.seen = [os.environ.get(name) for name in ("PLACED", "PLACE", "WORD", "ITEM")]
        self.names = [current.project_name, current.branch_name, current.is_production]
        self.namespace = get_namespace()
        self.place = self.config.place
        self.first_line = self.table.splitlines()[0]

    @Placed
    @step
    def start(self):
        self.look()
        self.items = list(self.config["items"])
        self.next(self.work, foreach="items")

    @secrets(sources=SECRET)
    @environment(vars={"PLACE": config_expr("config.place"), "ITEM": "each"})
    @card(type="blank", id="one")
    @card(type="blank", id="two")
    @stamped
    @step
    def work(self):
        self.look()
        self.attempt = current.retry_count
        if self.input == "y" and not self.attempt:
            raise ValueError("the first attempt of y fails")
        print("the key is", os.environ["AWS_SECRET_ACCESS_KEY"])
        self.region = os.environ.get("AWS_DEFAULT_REGION")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.look()
        self.values = [(i.before, i.after, i.attempt) for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.look()


if __name__ == "__main__":
    Wide()
