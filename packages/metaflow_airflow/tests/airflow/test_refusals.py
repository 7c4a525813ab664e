"""Bad inputs, each against the real thing: refused in a sentence that names it and the way out."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from metaflow_airflow.airflow_api.client import AirflowError
from metaflow_airflow.airflow_api.import_errors import failures_of

from .conftest import FLOWS

pytestmark = pytest.mark.stack

FLOW = """
from metaflow import *

{flow}
class Refused(FlowSpec):
    n = Parameter("n", {parameter})

{steps}

if __name__ == "__main__":
    Refused()
"""
TWO_STEPS = """
    {decorator}
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
"""
FOREACH = """
    @step
    def start(self):
        self.next(self.work, num_parallel=2)

    @parallel
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
CIRCLE = """
    @step
    def start(self):
        self.next(self.work)

    @step
    def work(self):
        self.next(self.judge)

    @step
    def judge(self):
        self.way = "again"
        self.next({"again": self.work, "done": self.end}, condition="way")

    @step
    def end(self):
        pass
"""


def flow(steps=TWO_STEPS, *, decorator="", on_flow="", parameter="default=3"):
    return FLOW.format(
        flow=on_flow, parameter=parameter, steps=steps.replace("{decorator}", decorator)
    )


def broken_flow():
    return flow().replace("self.next(self.end)", "self.next(self.end")


@dataclass(frozen=True)
class Case:
    """A verb with its arguments and the words that its refusal must hold.

    `environment` is laid over the stack's; {here} is the test's folder, {s3} the S3 server, {none}
    an empty text.
    `options` are the flow's, before `airflow`.
    """

    arguments: str
    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    source: str = field(default_factory=flow)
    options: tuple[str, ...] = ()


DATASTORE, LOCAL = "METAFLOW_DATASTORE_SYSROOT_S3", "METAFLOW_DATASTORE_SYSROOT_LOCAL"
URL, PASSWORD = "METAFLOW_AIRFLOW_REST_API_URL", "METAFLOW_AIRFLOW_REST_API_PASSWORD"
FOLDER = "METAFLOW_AIRFLOW_DAGS_FOLDER"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens
SOMEBODY = {"METAFLOW_USER": "somebody", "METAFLOW_HOME": "{here}/home"}

CASES = {
    "no bucket": Case(
        "create",
        ("s3://no-such-bucket/x", "no bucket no-such-bucket", "Create it"),
        {DATASTORE: "s3://no-such-bucket/x"},
    ),
    "no datastore root": Case("create", (f"set {DATASTORE}",), {DATASTORE: ""}),
    "wrong S3 credentials": Case(
        "create",
        ("s3://metaflow", "refused the credentials", "AWS_SECRET_ACCESS_KEY"),
        {"AWS_SECRET_ACCESS_KEY": "wrong"},
    ),
    "no S3 credentials": Case(
        "create",
        ("s3://metaflow", "AWS_ACCESS_KEY_ID"),
        {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": "{here}",
        },
    ),
    "S3 not reachable": Case(
        "create",
        (NOBODY, "METAFLOW_S3_ENDPOINT_URL"),
        {"METAFLOW_S3_ENDPOINT_URL": NOBODY, "AWS_ENDPOINT_URL": NOBODY},
    ),
    "Airflow not reachable": Case("create", (NOBODY, "cannot be reached", URL), {URL: NOBODY}),
    "something else than Airflow": Case(
        "create", ("{s3}", "not Airflow's API", URL), {URL: "{s3}"}
    ),
    "wrong login": Case("create", ("refused the login of user", PASSWORD), {PASSWORD: "wrong"}),
    "no login": Case("list-runs", (f"not set: {PASSWORD}", "Set them"), {PASSWORD: ""}),
    "syntax error": Case(
        "create", ("refused.py", "line 12", "'(' was never closed"), {}, broken_flow()
    ),
    "a name that is no DAG id": Case("--name bad/name create", ("'bad/name' is no DAG id", "use")),
    "a value of the wrong type": Case("trigger --n three", ("'--n'", "three", "integer")),
    "a value that JSON has not": Case(
        "trigger --n inf",
        ("Parameter n: inf", "finite numbers", "default"),
        {},
        flow(parameter="default=0.5"),
    ),
    "an empty tag": Case("create --tag {none}", ("Tags must not be empty",)),
    "an unknown parameter": Case("trigger --m 3", ("no such option: --m", "--help")),
    "somebody else's deployment": Case(
        "create", ("deployed by another user", "--authorize"), SOMEBODY
    ),
    "a wrong production token": Case(
        "delete --authorize no", ("was deployed by", "production token", "--authorize"), SOMEBODY
    ),
    "a DAGs folder that cannot be written": Case(
        "create /proc/refused.py", ("/proc", "cannot be written", "another FILE")
    ),
    "no DAGs folder": Case(
        "create {here}/none/x.py", ("no folder {here}/none", FOLDER), {FOLDER: "{here}"}
    ),
    "no DAGs folder said": Case("create", ("Give FILE", FOLDER), {FOLDER: ""}),
    "no DAG bundle": Case(
        "create", ("s3://no-dags/x", "no bucket no-dags"), {FOLDER: "s3://no-dags/x"}
    ),
    "FILE is the flow": Case("create {here}/refused.py", ("flow's own file", "another name")),
    "FILE is no Python file": Case("create {here}/dag.txt", ("dag.txt must end in .py",)),
    "a datastore of this machine": Case(
        "create",
        ("Datastore *local*", LOCAL, "all workers share", "--datastore=s3"),
        {LOCAL: ""},
        options=("--datastore=local",),
    ),
    "num_parallel": Case(
        "create", ("*start*", "parallel", "not supported", "foreach"), {}, flow(FOREACH)
    ),
    "@batch": Case(
        "create",
        ("@batch on step *start*", "line", "use that instead"),
        {},
        flow(decorator="@batch"),
    ),
    "a circle of two steps": Case(
        "create", ("loop in your flow: work->judge->work", "Break the loop"), {}, flow(CIRCLE)
    ),
    "a secret for the DAG file": Case(
        "create",
        ("DB_PASSWORD", "*start*", "@secrets", "Airflow connection"),
        options=("--with", 'environment:vars={"DB_PASSWORD":"x"}'),
    ),
    "a cron that Airflow cannot say": Case(
        "create",
        ("of @schedule says 5W for the day of month", "five-field"),
        {},
        flow(on_flow="@schedule(cron='0 0 5W * ? *')"),
    ),
    "an unknown time zone": Case(
        "create",
        ("'Europe/Berlyn'", "Europe/Berlin"),
        {},
        flow(on_flow="@schedule(daily=True, timezone='Europe/Berlyn')"),
    ),
    "a scheduled flow that needs a value": Case(
        "create",
        ("Parameter n", "scheduled", "default"),
        {},
        flow(on_flow="@schedule(daily=True)", parameter="required=True"),
    ),
    "an unknown DAG": Case("--name never-made status x", ("no DAG never-made", "airflow create")),
    "an unknown DAG to end": Case("--name never-made delete", ("no DAG never-made", "--name")),
    "an unknown run": Case("status nope", ("no run nope of Refused", "list-runs")),
    "an unknown run to end": Case("terminate nope", ("no run nope of Refused", "list-runs")),
}


def command(case, folder, s3, environment):
    """Run a case in a folder of its own; the output of a command that failed in time."""
    folder.mkdir()
    values = {"here": str(folder), "s3": s3, "none": ""}
    path = folder / "refused.py"
    path.write_text(case.source)
    words = [word.format(**values) for word in case.arguments.split(" ")]
    done = subprocess.run(
        [sys.executable, str(path), "--no-pylint", *case.options, "airflow", *words],
        env=environment | {k: v.format(**values) for k, v in case.environment.items()},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # Metaflow shows *words* in bold and leaves the stars out.
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode, f"it was not refused: {output}"
    missing = [w for w in case.words if w.format(**values).replace("*", "") not in output]
    return missing, output


@pytest.fixture(scope="module")
def answers(bridge, tmp_path_factory):
    """All cases, run two at a time: each waits mostly for Metaflow's imports."""
    folder = tmp_path_factory.mktemp("refused")
    path = folder / "refused.py"
    path.write_text(flow())
    bridge.export(path)
    environment = {**os.environ, **bridge.environment}
    s3 = bridge.environment["METAFLOW_S3_ENDPOINT_URL"]
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(command, case, folder / str(number), s3, environment)
            for number, (name, case) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_refused_with_its_place_and_the_way_out(answers, name):
    missing, output = answers[name].result()

    assert not missing, f"{missing} not in: {output}"


def test_airflow_refuses_a_value_of_the_wrong_type(answers, bridge):
    with pytest.raises(AirflowError, match=r"param n: 'three' is not of type 'integer'"):
        bridge.start("Refused", {"n": "three"})


def test_an_unknown_parameter_fails_the_run_with_a_sentence(answers, bridge):
    run_id = bridge.start("Refused", {"m": 3})
    bridge.wait("Refused", run_id, expect="failed")
    log = "\n".join(bridge.log("Refused", run_id, "start"))

    assert "triggered with m: flow Refused has no such parameter (it has: n)" in log


def test_an_extension_older_than_its_file_says_so(bridge):
    """Airflow's own words for a DAG file that a later version of the bridge exported."""
    text = bridge.dag_file(f"{bridge.export(FLOWS / 'single.py')}.py")
    newer, count = re.subn(r'"format": \d+', '"format": 99', text)
    assert count == 1, text
    bridge.versions.write({"newer.py": newer.encode()})
    try:
        deadline = time.monotonic() + 60
        while not (errors := failures_of(bridge.client.all_import_errors(), "/newer.py")):
            assert time.monotonic() < deadline, "Airflow never read newer.py"
            time.sleep(0.2)
    finally:
        bridge.versions.write({"newer.py": None})

    assert "was exported by metaflow-airflow" in errors[0].stack_trace
    assert "Upgrade metaflow-airflow where Airflow runs" in errors[0].stack_trace
