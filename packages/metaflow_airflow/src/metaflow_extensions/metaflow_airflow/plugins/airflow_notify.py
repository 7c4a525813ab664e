"""`@airflow_notify` as Metaflow finds it."""

from metaflow.decorators import FlowDecorator


class AirflowNotifyDecorator(FlowDecorator):
    """Tells people of a run's end on Airflow, by Airflow's own notifiers; `run` tells nobody.

    Args:
        on_error, on_success: notifiers, one text or a list: "slack:channel=#alerts",
            "smtp:to=ops@example.com", or "path.of.AnyNotifier:argument=value,argument=value".
    """

    name = "airflow_notify"
    allow_multiple = True
    defaults = {"on_error": None, "on_success": None}  # noqa: RUF012 - declared so by Metaflow
