from dataclasses import replace

from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Body, Items
from metaflow_airflow.plan.explanation import explain
from metaflow_airflow.plan.step import Deployment, PlannedStep

DEPLOYMENT = Deployment(script="flow.py")


def blocks_of(graph, **options):
    return assemble(graph, DEPLOYMENT, **options).blocks


def shape(blocks):
    """Blocks as short text: step, step*foreach, [step step]*foreach, items(foreach)."""
    texts = []
    for block in blocks:
        if isinstance(block, Body):
            texts.append(f"[{' '.join(s.name for s in block.steps)}]*{block.each}")
        elif isinstance(block, Items):
            texts.append(f"items({block.foreach})")
        else:
            texts.append(block.name + (f"*{block.each}" if block.each else ""))
    return texts


def test_three_levels_become_flat_lists(flow):
    assert shape(blocks_of(read_graph(flow("nested")))) == [
        "start",
        "region*start",
        "items(region)",
        "[shop stock staff shop_join open_days]*region",
        "items(open_days)",
        "[day closed sell day_end]*open_days",
        "days_join*region",
        "[shops_join after_shops]*start",
        "regions_join",
        "end",
    ]


def test_no_group_is_called_like_a_step_or_longer_than_airflow_takes(flow):
    graph = read_graph(flow("odd"))
    names = {block.name for block in blocks_of(graph) if isinstance(block, Body)}
    assert names == {"start_to_flow_items", "params_to_both_"}

    long = "s" * 150
    steps = {
        name.replace("flow", long): replace(
            step,
            name=step.name.replace("flow", long),
            next=tuple(each.replace("flow", long) for each in step.next),
            previous=tuple(each.replace("flow", long) for each in step.previous),
        )
        for name, step in graph.steps.items()
    }
    assert all(len(block.name) <= 200 for block in blocks_of(replace(graph, steps=steps)))


def test_what_stands_beside_a_nested_foreach_does_not_wait_in_its_group(flow):
    blocks = blocks_of(read_graph(flow("maybe_fan")))

    assert shape(blocks) == [
        "start",
        "[sort split small]*start",
        "items(split)",
        "part*split",
        "[whole sorted]*start",
        "join",
        "end",
    ]


def test_a_branch_around_a_nested_foreach_makes_no_group_depend_on_itself(write_flow):
    flow = write_flow(
        """
        @step
        def start(self):
            self.xs = [1, 2]
            self.next(self.a, foreach="xs")

        @step
        def a(self):
            self.next(self.b, self.c)

        @step
        def b(self):
            self.ys = [1]
            self.next(self.inner, foreach="ys")

        @step
        def inner(self):
            self.next(self.b_join)

        @step
        def b_join(self, inputs):
            self.next(self.d)

        @step
        def c(self):
            self.next(self.d)

        @step
        def d(self, inputs):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """.replace("\n        ", "\n")
    )

    assert shape(blocks_of(read_graph(flow))) == [
        "start",
        "[a b c]*start",
        "items(b)",
        "inner*b",
        "[b_join d]*start",
        "join",
        "end",
    ]


def test_blocks_stand_after_what_they_need(flow):
    for name in ("branches", "nested", "switches", "maybe_fan", "single", "names"):
        seen: set[str] = set()
        for block in blocks_of(read_graph(flow(name))):
            steps = block.steps if isinstance(block, Body) else [block]
            for step in steps:
                if isinstance(step, Items):
                    assert step.foreach in seen
                    continue
                assert set(step.after) <= seen, f"{name}: {step.name} before {step.after}"
                seen.add(step.name)


def test_explain_says_who_chooses(flow):
    graph = read_graph(flow("switches"))

    lines = explain(assemble(graph, DEPLOYMENT)).splitlines()

    assert "  step start, chooses one of fan, deep, end" in lines
    assert "  step merge, after deep, gather, x, if deep chooses it" in lines
    assert "  step work, after fan, for each item of fan" in lines


def test_a_step_that_chooses_itself_has_a_bound(write_flow):
    graph = read_graph(
        write_flow(
            """
@timeout(seconds=10)
@step
def start(self):
    self.again = "no"
    self.next({"yes": self.start, "no": self.end}, condition="again")

@step
def end(self):
    pass
"""
        )
    )

    plan = assemble(graph, DEPLOYMENT, max_iterations=7)

    start, end = plan.steps()
    assert (start.loop, start.execution_timeout, end.loop) == (7, 130, None)
    assert "chooses one of start, end, at most 7 times in a row" in explain(plan)


def test_fractions_count_as_metaflow_counts_them(write_flow):
    flow = write_flow(
        """
@retry(times=1, minutes_between_retries=1.5)
@timeout(minutes=1.5, seconds="30")
@step
def start(self):
    pass
"""
    )

    (start,) = assemble(read_graph(flow), DEPLOYMENT).steps()

    assert (start.timeout, start.execution_timeout, start.retry_delay) == (90, 150, 60)


def test_decorators_become_the_tasks_settings(write_flow):
    flow = write_flow(
        """
        @retry(times=2, minutes_between_retries=3)
        @catch(var="error")
        @timeout(minutes=1, seconds=30)
        @environment(vars={"MODE": "fast"})
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """.replace("\n        ", "\n")
    )

    start, end = blocks_of(read_graph(flow), attached={"end": ("card",)})

    assert isinstance(start, PlannedStep)
    assert isinstance(end, PlannedStep)
    assert (start.retries, start.user_retries, start.retry_delay) == (5, 2, 180)
    assert start.timeout == 90
    assert start.environment == {"MODE": "fast"}
    assert end.decorators == ("card",)
