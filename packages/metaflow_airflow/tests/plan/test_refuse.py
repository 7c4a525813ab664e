import pytest
from metaflow_airflow.errors import NotSupportedError
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.step import Deployment

TWO_STEPS = """
{decorator}
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("decorator", ["@batch"])
def test_a_step_decorator_that_cannot_run_is_named_with_its_step(write_flow, decorator):
    graph = read_graph(write_flow(TWO_STEPS.format(decorator=decorator)))

    with pytest.raises(NotSupportedError, match=rf"{decorator} on step \*start\* \(line \d+\)"):
        assemble(graph, Deployment("flow.py"))


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
        assemble(graph, Deployment("flow.py"))
