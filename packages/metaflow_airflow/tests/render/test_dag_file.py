import ast
import runpy
import subprocess
import sys
from dataclasses import replace

from metaflow_airflow import __version__
from metaflow_airflow.export.read_parameters import read_parameters
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.operators.on_events import OnEvents
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Schedule
from metaflow_airflow.plan.notifications import Notifications, Notifier
from metaflow_airflow.plan.record import Parameter
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.plan.triggers import SaidTriggers
from metaflow_airflow.render import render

DEPLOYMENT = Deployment(
    script="flow.py",
    code="s3://bucket/metaflow/Flow/data/3f/3f9c",
    code_sha="3f9c",
    datastore="s3",
    datastore_root="s3://bucket/metaflow",
    options=("--metadata=local",),
    owner="ann",
    production_token="flow-0-abcd",
)


STEPS = """
@step
def start(self):
    pass
"""


def plan_of(flow, **changes):
    return replace(assemble(read_graph(flow), DEPLOYMENT), **changes)


def assert_formatted(path, text):
    path.write_text(text)
    command = [sys.executable, "-m", "ruff", "format", "--line-length=100", "--diff", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_file_of_a_foreach_with_a_body(flow):
    text = render(plan_of(flow("maybe_fan"), max_workers=10))

    assert (
        text.replace(__version__, "VERSION")
        == '''"""MaybeFan as an Airflow DAG, exported from flow.py.

Do not edit: change the flow and export it again.
"""

from airflow.sdk import DAG
from metaflow_airflow.operators import MetaflowFlow

flow = MetaflowFlow.load(
    r"""
{
  "dag_id": "MaybeFan",
  "flow": "MaybeFan",
  "format": 2,
  "exported_by": "VERSION",
  "deployment": {
    "script": "flow.py",
    "code": "s3://bucket/metaflow/Flow/data/3f/3f9c",
    "code_sha": "3f9c",
    "datastore_root": "s3://bucket/metaflow",
    "options": [
      "--metadata=local"
    ],
    "owner": "ann",
    "production_token": "flow-0-abcd"
  },
  "steps": [
    "start",
    "sort",
    "split",
    "small",
    "part",
    "whole",
    "sorted",
    "join",
    "end"
  ]
}
""",
)

with DAG(
    "MaybeFan",
    schedule=None,
    catchup=False,
    max_active_tasks=10,
    default_args={"owner": "ann"},
    tags=["metaflow"],
    doc_md="Each item is small or big; the big ones fan out again.",
) as dag:
    flow.step("start")

    @flow.each("start")
    def start_to_small():
        flow.step("sort", after="start", chooses=["split", "small"])
        flow.step("split", after="sort", may_skip=True)
        flow.step("small", after="sort", may_skip=True)

    flow.items("split", may_skip=True)
    flow.step("part", after="split", each="split", over="split.items", depth=2, may_skip=True)

    @flow.each("start")
    def start_to_sorted():
        flow.step("whole", after="part", may_skip=True)
        flow.step("sorted", after=["small", "whole"], may_skip=True)

    flow.step("join", after="sorted", may_skip=True)
    flow.step("end", after="join", may_skip=True, publishes=["metaflow.MaybeFan.end"])
'''
    )


def test_it_is_stable_small_valid_and_formatted(flow, tmp_path):
    for name in ("branches", "nested", "switches", "single"):
        parameters = (
            Parameter("text", "string", 'he said "hi"\n\\ é', description="it's a 'text'"),
            Parameter("data", "json", {"a": [1, 2.5, None, True], "b": {}}),
            Parameter("needed", "integer", required=True, description="x" * 200),
        )
        changes = {
            "parameters": parameters,
            "schedule": Schedule("0 6 * * *", "Europe/Berlin"),
            "timeout": 600,
            "doc": 'A "doc"\nof two lines',
        }
        text = render(plan_of(flow(name), **changes))
        assert text == render(plan_of(flow(name), **changes))
        ast.parse(text)
        assert_formatted(tmp_path / f"{name}.py", text)


def test_three_steps_stay_below_4_kb(flow):
    text = render(plan_of(flow("names"), doc="Three steps.", schedule=Schedule("0 6 * * *")))

    assert len(text.encode()) < 4096
    assert 'schedule=NextTickTimetable("0 6 * * *", timezone="UTC", dag_id="' in text


def test_what_airflow_would_refuse_or_read_otherwise(flow, write_flow, tmp_path):
    """A tag above 100 characters, a text that looks like a file's name, numbers JSON has not."""
    deployment = replace(DEPLOYMENT, tags=("short", "x" * 101))
    written = write_flow("endless = Parameter('endless', default=float('inf'))" + STEPS)
    for _, parameter in written._get_parameters():
        parameter.init()
    parameters = tuple(read_parameters(written, scheduled=False))

    text = render(
        plan_of(flow("names"), deployment=deployment, doc="See x.md", parameters=parameters)
    )

    path = tmp_path / "names.py"
    path.write_text(text)
    dag = runpy.run_path(str(path))["dag"]
    assert dag.tags == {"metaflow", "short"}
    assert "x" * 101 in text, "the run has it"
    assert dag.doc_md == "See x.md\n"
    assert dag.params.dump() == {"endless": None}


def test_sensors_stand_before_the_start_step(flow, tmp_path):
    text = render(plan_of(flow("sensors")))

    assert 'start = flow.step("start")' in text
    assert 'external_dag_id="other"' in text
    assert "execution_delta=timedelta(seconds=3600)" in text
    assert "verify=False" in text, "None, Airflow's default, verifies"
    assert text.endswith("    [wait_1, wait_2] >> start\n")
    assert_formatted(tmp_path / "sensors.py", text)


def test_exit_hooks_stand_after_the_last_step(flow, tmp_path):
    text = render(plan_of(flow("hooked")))

    assert text.endswith("""    flow.step("end", after="join", publishes=["metaflow.Hooked.end"])
    flow.exit_hooks(
        first="start",
        last="end",
        on_success=["broken", "celebrate"],
        on_error=["mourn"],
    )
    flow.exit_outcome("end")
""")
    assert_formatted(tmp_path / "hooked.py", text)


def test_notifiers_are_airflows_own_whose_names_are_told_apart(write_flow, tmp_path):
    teller = Notifier("a.b.Teller", {"conn_id": "alerts", "to": ["x"]})
    notifications = Notifications(on_error=(teller, Notifier("c.Teller")), on_success=(teller,))
    text = render(plan_of(write_flow(STEPS), notifications=notifications))

    assert "from a.b import Teller\nfrom c import Teller as Teller_2\n" in text
    told = 'Teller(conn_id="alerts", to=["x"])'
    assert f"on_failure_callback=[{told}, Teller_2()],\n" in text
    assert f"on_success_callback=[{told}],\n" in text
    assert_formatted(tmp_path / "dag.py", text)


def test_events_are_the_schedule_and_the_last_step_publishes_its_own(flow, tmp_path):
    said = SaidTriggers(
        events=({"name": "left"}, {"name": "s3://lake/right"}),
        options={"reset_at": {"cron": "0 3 * * *"}},
    )
    plan = assemble(read_graph(flow("single")), DEPLOYMENT, triggers=said)
    text = render(plan)

    assert "from airflow.sdk import DAG, Asset\n" in text
    condition = 'Asset("left"), Asset.ref(uri="s3://lake/right"), reset_at=["0 3 * * *", "UTC"]'
    assert condition in " ".join(text.split()), text
    assert 'publishes=["metaflow.Single.end"]' in text
    assert_formatted(tmp_path / "triggered.py", text)
    dag = runpy.run_path(str(tmp_path / "triggered.py"))["dag"]
    kept = OnEvents.deserialize(dag.timetable.serialize())
    assert len(kept.asset_condition.as_expression()["all"]) == 2
    assert kept.reset_at == ["0 3 * * *", "UTC"]
    assert [asset.name for asset in dag.get_task("only").outlets] == ["metaflow.Single.end"]


def test_events_and_a_schedule_start_a_dag_both(flow, tmp_path):
    plan = assemble(
        read_graph(flow("single")), DEPLOYMENT, triggers=SaidTriggers(events=({"name": "left"},))
    )
    text = render(replace(plan, schedule=Schedule("0 6 * * *", "Europe/Berlin")))

    assert_formatted(tmp_path / "both.py", text)
    timetable = runpy.run_path(str(tmp_path / "both.py"))["dag"].timetable
    assert "all" not in timetable.asset_condition.as_expression()
    assert timetable.or_at.summary == "0 6 * * *"
