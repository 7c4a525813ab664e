import pytest
from metaflow_airflow.errors import BridgeError, NotSupportedError
from metaflow_airflow.graph import Kind
from metaflow_airflow.graph.read_graph import read_graph


def test_scopes_of_nested_foreaches(flow):
    graph = read_graph(flow("nested"))

    assert graph["start"].scope == ()
    assert graph["region"].scope == ("start",)
    assert graph["stock"].scope == ("start", "region")
    assert graph["sell"].scope == ("start", "region", "open_days")
    assert graph["days_join"].scope == ("start", "region")
    assert graph["regions_join"].scope == ()
    assert graph["days_join"].joins == "open_days"
    assert graph["shop_join"].joins == "shop"
    assert graph.joins_foreach(graph["days_join"])
    assert not graph.joins_foreach(graph["shop_join"])


def test_steps_stand_after_all_that_lead_to_them(flow):
    for name in ("branches", "nested", "switches", "maybe_fan"):
        graph = read_graph(flow(name))
        order = list(graph.steps)
        for step in graph.steps.values():
            assert all(order.index(p) < order.index(step.name) for p in step.previous)


def test_a_switch_leads_to_its_cases(flow):
    graph = read_graph(flow("switches"))

    assert graph["start"].kind is Kind.SWITCH
    assert graph["start"].next == ("fan", "deep", "end")
    assert graph["end"].previous == ("merge", "start")


def test_custom_names_and_a_single_step(flow):
    names, single = read_graph(flow("names")), read_graph(flow("single"))

    assert (names.start, names.end) == ("begin", "finish")
    assert (single.start, single.end, list(single.steps)) == ("only", "only", ["only"])


LOOP = """
@step
def start(self):
    self.next(self.work)

@step
def work(self):
    self.again = "no"
    self.next({"yes": self.work, "no": self.end}, condition="again")

@step
def end(self):
    pass
"""


def test_a_switch_may_choose_itself(write_flow):
    graph = read_graph(write_flow(LOOP))

    assert list(graph.steps) == ["start", "work", "end"]
    assert graph["work"].kind is Kind.SWITCH
    assert graph["work"].loops
    assert not graph["start"].loops
    assert (graph["work"].next, graph["work"].previous) == (("work", "end"), ("start",))
    assert graph["end"].previous == ("work",)


def test_a_longer_circle_is_refused_with_its_steps(write_flow):
    flow = write_flow(
        """
        @step
        def start(self):
            self.next(self.work)

        @step
        def work(self):
            self.next(self.judge)

        @step
        def judge(self):
            self.again = "no"
            self.next({"yes": self.work, "no": self.end}, condition="again")

        @step
        def end(self):
            pass
        """.replace("\n        ", "\n")
    )

    with pytest.raises(NotSupportedError, match=r"\*judge\* goes back .*work -> judge -> work"):
        read_graph(flow)


def test_a_decorator_may_forbid_retries(write_flow):
    graph = read_graph(
        write_flow(
            """
@retry(times=2)
@unbounded_test_foreach_internal
@step
def start(self):
    pass
"""
        )
    )

    assert (graph["start"].user_retries, graph["start"].error_retries) == (0, 0)


def test_a_decorator_that_says_no_number_of_retries_is_named(write_flow):
    flow = write_flow("@retry\n@step\ndef start(self):\n    pass\n")
    flow._graph["start"].decorators[0].step_task_retry_count = lambda: None

    with pytest.raises(BridgeError, match=r"@retry on step \*start\* \(line \d+\) answers None"):
        read_graph(flow)


def test_retries_count_the_users_and_the_fallbacks(write_flow):
    flow = write_flow(
        """
        @retry(times=2)
        @catch(var="error")
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """.replace("\n        ", "\n")
    )

    start = read_graph(flow)["start"]

    assert (start.user_retries, start.error_retries) == (2, 3)
