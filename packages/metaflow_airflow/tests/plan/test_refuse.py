from dataclasses import replace

import pytest
from metaflow_airflow.errors import BridgeError, NotSupportedError
from metaflow_airflow.graph import Decorator
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.step import Deployment

DEPLOYMENT = Deployment("flow.py")
POD = Decorator("kubernetes", {"image": "x", "cpu": 1, "memory": 1, "disk": 1}, attached=True)

TWO_STEPS = """
{decorator}
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("decorator", ["@batch", "@unbounded_test_foreach_internal"])
def test_a_step_decorator_that_cannot_run_is_named_with_its_step(write_flow, decorator):
    graph = read_graph(write_flow(TWO_STEPS.format(decorator=decorator)))

    with pytest.raises(NotSupportedError, match=rf"{decorator} on step \*start\* \(line \d+\)"):
        assemble(graph, DEPLOYMENT)


def test_num_parallel_is_refused(write_flow):
    graph = read_graph(
        write_flow(
            """
@step
def start(self):
    self.next(self.work, num_parallel=2)

@step
def work(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""
        )
    )

    with pytest.raises(NotSupportedError, match=r"\*start\* .*parallel.*not supported"):
        assemble(graph, DEPLOYMENT)


def test_all_reasons_are_said_at_once(write_flow):
    """What is given by --with for pods, on a stack whose metadata and datastore are a folder."""
    variables = Decorator("environment", {"vars": {"AWS_SECRET_ACCESS_KEY": "x"}}, attached=True)
    graph = read_graph(write_flow(TWO_STEPS.format(decorator="")))
    graph = replace(graph, decorators=(Decorator("schedule", {"cron": "61 * * * *"}),))
    start = graph["start"]
    changed = replace(start, decorators=(*start.decorators, POD, variables))
    graph = replace(graph, steps={**graph.steps, "start": changed})
    deployment = replace(
        DEPLOYMENT, options=("--metadata=local",), datastore="local", connection="aws_default"
    )

    with pytest.raises(NotSupportedError) as error:
        assemble(graph, deployment)

    first, *reasons = str(error.value).splitlines()
    assert first == "The flow cannot run on Airflow, for 5 reasons:"
    assert [next(word for word in WORDS if word in reason) for reason in reasons] == list(WORDS)


WORDS = (
    "61 for the minute",
    "kubernetes:secrets=NAME",
    "--connection",
    "--metadata=service",
    "--datastore=s3",
)


@pytest.mark.parametrize(("step", "length", "longest"), [("work", 251, 250), ("inner", 245, 244)])
def test_a_name_longer_than_airflow_takes(write_flow, step, length, longest):
    """The list of a nested foreach's items has a task, whose id is longer than the step's name."""
    graph = read_graph(write_flow(NESTED.replace(step, "s" * length)))

    with pytest.raises(BridgeError, match=f"{length} characters; Airflow takes {longest} for it"):
        assemble(graph, DEPLOYMENT)


NESTED = """
@step
def start(self):
    self.next(self.inner, foreach="xs")

@step
def inner(self):
    self.next(self.work, foreach="xs")

@step
def work(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.outer_join)

@step
def outer_join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("persistent_volume_claims", "runs=/runs"),
        ("node_selector", ["gpu"]),
        ("labels", "{team: ml"),
        ("tolerations", "key=arch"),
        ("tolerations", ["arch"]),
    ],
)
def test_an_attribute_of_a_pod_that_is_no_json_is_named(write_flow, name, value):
    pod = replace(POD, attributes={**POD.attributes, name: value})
    graph = read_graph(write_flow(TWO_STEPS.format(decorator="")))
    steps = {key: replace(each, decorators=(pod,)) for key, each in graph.steps.items()}
    graph = replace(graph, steps=steps)

    with pytest.raises(BridgeError, match=rf"@kubernetes on step \*start\* .* {name} is .* JSON"):
        assemble(graph, DEPLOYMENT)
