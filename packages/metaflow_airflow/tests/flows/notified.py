"""Says of its end by an HTTP request; fails when it is told to."""

from metaflow import FlowSpec, Parameter, airflow_notify, step

_TELL = "airflow.providers.http.notifications.HttpNotifier:http_conn_id={},endpoint={},json={}"
_SAID = '{"text": "{{ dag.dag_id }} {{ run_id }} {{ reason }}"}'


@airflow_notify(
    on_error=[_TELL.format("nowhere", "/lost", "{}"), _TELL.format("alerts", "/failed", _SAID)],
    on_success=_TELL.format("alerts", "/succeeded", _SAID),
)
class Notified(FlowSpec):
    """One step, whose end is told."""

    fails = Parameter("fails", default=False)

    @step
    def start(self):
        assert not self.fails, "as told"
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Notified()
