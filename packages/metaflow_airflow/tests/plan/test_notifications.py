import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.notifications import Notifier, read_notifications, read_notifier

SLACK = "airflow.providers.slack.notifications.slack.SlackNotifier"


def test_a_short_name_brings_its_class_and_a_message():
    failed = read_notifier("slack:channel=#alerts", failed=True)
    done = read_notifier("slack", failed=False)

    assert (failed.path, failed.arguments["channel"]) == (SLACK, "#alerts")
    assert failed.arguments["text"].startswith("{{ dag.dag_id }} failed: run {{ run_id }}")
    assert done.arguments == {"text": "{{ dag.dag_id }} succeeded: run {{ run_id }}"}
    assert read_notifier("pagerduty", failed=True).arguments["severity"] == "error"


def test_any_class_takes_arguments_as_json_or_as_they_are():
    text = 'a.b.Teller:to=["x@y.z", "v"], json={"text": "a, b=c"},n=3,name=ann, lee'

    assert read_notifier(text, failed=True) == Notifier(
        "a.b.Teller", {"to": ["x@y.z", "v"], "json": {"text": "a, b=c"}, "n": 3, "name": "ann, lee"}
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "teams",
            "'teams' is neither slack, slack_webhook, smtp, pagerduty nor the path of a class",
        ),
        ("", "'' is neither"),
        ("smtp:ops@example.com", "'ops@example.com' is no argument. Write smtp:NAME=VALUE"),
        ("slack:token=xoxb-1234567890", "its token looks like a secret"),
        ("pagerduty:integration_key=abc", "Put it into an Airflow connection"),
        ("a.b.C:url=https://hooks.slack.com/services/T0/B0/x", "its url looks like a secret"),
    ],
)
def test_what_cannot_stand_in_a_dag_file_is_refused(text, says):
    with pytest.raises(BridgeError, match=says):
        read_notifier(text, failed=True)


FLOW = """
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture
def notifying(write_flow):
    """A flow of two steps with the decorator."""

    def write(*decorators):
        from metaflow import airflow_notify

        flow = write_flow(FLOW)
        cls = type(flow)
        for decorator in decorators:
            cls = airflow_notify(**decorator)(cls)
        return read_graph(cls(use_cli=False))

    return write


def test_a_flows_own_come_first_and_none_twice(notifying):
    graph = notifying({"on_error": "slack"}, {"on_error": ["smtp:to=a@b.c"], "on_success": "slack"})

    found = read_notifications(graph, on_error=["slack", "a.b.C"])

    assert [each.name for each in found.on_error] == ["SlackNotifier", "SmtpNotifier", "C"]
    assert [each.name for each in found.on_success] == ["SlackNotifier"]


@pytest.mark.parametrize(
    ("arguments", "says"), [({}, "names nobody"), ({"on_error": 3}, "3 is neither a text")]
)
def test_a_decorator_that_tells_nobody_is_refused(notifying, arguments, says):
    with pytest.raises(BridgeError, match=says):
        read_notifications(notifying(arguments))
