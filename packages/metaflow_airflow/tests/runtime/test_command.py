"""Command lines and environment of a step."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from metaflow_airflow.runtime.failures import LaunchError
from metaflow_airflow.runtime.flow import command_lines
from metaflow_airflow.runtime.flow.step_variables import option, step_variables
from metaflow_airflow.runtime.worker.step_process import step_environment
from metaflow_airflow.wire.task import Init, StepTask

from .test_task import TASK as START

JOIN = dataclasses.replace(START, step="join", init=None)
ROOT = Path("/work/metaflow")


def _variables(task: StepTask, **environ: str) -> dict[str, str]:
    return step_variables(task, ROOT, environ)


def test_step_arguments() -> None:
    task = dataclasses.replace(
        JOIN, decospecs=("retry:times=2",), tags=("a", "b c"), namespace="prod", env={}
    )
    assert command_lines.step_arguments(task) == [
        "--quiet",
        "--metadata=local",
        "--with=retry:times=2",
        "step",
        "join",
        "--run-id=airflow-1",
        "--task-id=t-1",
        "--retry-count=2",
        "--max-user-code-retries=0",
        "--input-paths=airflow-1/a/t,airflow-1/b/t",
        "--split-index=0",
        "--tag=a",
        "--tag=b c",
        "--namespace=prod",
    ]


def test_what_is_not_given_is_not_passed_on() -> None:
    task = dataclasses.replace(JOIN, split_index=None, namespace="", max_user_code_retries=-2)
    arguments = command_lines.step_arguments(task, "/inputs")
    assert "--max-user-code-retries=-2" in arguments
    assert "--input-paths-filename=/inputs" in arguments
    given = {argument.partition("=")[0] for argument in arguments}
    assert not given & {"--namespace", "--split-index", "--input-paths", "--clone-only"}


def test_a_step_of_a_resumed_run_names_the_other_run() -> None:
    task = dataclasses.replace(JOIN, origin_run_id="17")
    assert command_lines.step_arguments(task)[-1] == "--clone-run-id=17"


def test_the_start_step_takes_its_parameters_task_as_input() -> None:
    assert "--input-paths=airflow-1/_parameters/p-1" in command_lines.step_arguments(START)


def test_init_arguments() -> None:
    init = Init(
        "p-1",
        {
            "text": "--odd 'value'\n",
            "empty": "",
            "yes": True,
            "number": 1e22,
            "list": ["ä", 1],
            "none": None,
        },
    )
    assert command_lines.init_arguments(dataclasses.replace(START, tags=("x",)), init)[2:] == [
        "init",
        "--run-id=airflow-1",
        "--task-id=p-1",
        "--tag=x",
        "--text=--odd 'value'\n",
        "--empty=",
        "--yes=true",
        "--number=1e+22",
        '--list=["ä", 1]',
    ]


def test_a_shell_script_for_environments_of_their_own(tmp_path: Path) -> None:
    """The bootstrap's variables hold in the executable; values arrive as they are."""
    task = dataclasses.replace(
        JOIN,
        script="show.py",
        bootstrap=(
            "echo 'Bootstrapping virtual environment...'",
            "flush_mflogs",
            "export MF_ARCH=linux-64",
            "mflog 'ready'",
        ),
        executable="echo $MF_ARCH/id/bin/python -s",
    )
    script = command_lines.shell_script(
        task, [["show.py", "init", "--x=a 'b' $HOME"], ["show.py", "step", "join"]]
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines() == [
        "Bootstrapping virtual environment...",
        "ready",
        "linux-64/id/bin/python -s show.py init --x=a 'b' $HOME",
        "linux-64/id/bin/python -s show.py step join",
    ]


def test_arguments_of_a_megabyte_are_handed_over_in_a_file(tmp_path: Path) -> None:
    """One argument of a program may have 128 KiB."""
    (tmp_path / "show.py").write_text(
        "import sys\nprint(__name__, __file__, len(sys.argv[2]), sys.argv[1], sys.path[0])\n"
    )
    task = dataclasses.replace(JOIN, script="show.py", executable=sys.executable)
    words = command_lines.python_words(task, ["init", "ä" * 1_000_000], tmp_path / "long")
    script = command_lines.shell_script(task, [words])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "__main__ show.py 1000000 init \n"
    assert command_lines.python_words(task, ["init"], tmp_path / "x") == ["show.py", "init"]


def test_a_failed_bootstrap_runs_no_step() -> None:
    task = dataclasses.replace(JOIN, bootstrap=("false",), executable="echo")
    script = command_lines.shell_script(task, [["step"]])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_the_variables_are_the_deployments_not_the_workers() -> None:
    task = dataclasses.replace(
        JOIN, owner="ann", production_token="tok", env={"MINE": "1", "METAFLOW_CODE_SHA": "no"}
    )
    found = _variables(
        task,
        METAFLOW_USER="worker",
        METAFLOW_DATASTORE_SYSROOT_S3="s3://other",
        METAFLOW_DEFAULT_METADATA="service",
        PYTHONPATH="/already",
        KEPT="x",
    )
    expected = {
        "METAFLOW_USER": "ann",
        "METAFLOW_OWNER": "ann",
        "METAFLOW_PRODUCTION_TOKEN": "tok",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://b/m",
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_CODE_SHA": "0" * 40,
        "METAFLOW_CODE_DS": "s3",
        "METAFLOW_RUNTIME_NAME": "airflow",
        "METAFLOW_ATTEMPT_NUMBER": "2",
        "METAFLOW_EXTRACTED_ROOT": "/work/metaflow",
        "PYTHONPATH": "/work/metaflow/.mf_code:/already",
        "MINE": "1",
        "KEPT": "x",
    }
    assert {name: found.get(name) for name in expected} == expected


def test_nobody_elses_production_token() -> None:
    found = _variables(JOIN, METAFLOW_PRODUCTION_TOKEN="stray", METAFLOW_USER="worker")
    assert "METAFLOW_PRODUCTION_TOKEN" not in found
    assert found["METAFLOW_USER"] == "worker"


def test_a_local_datastores_root_lies_inside_its_sysroot() -> None:
    task = dataclasses.replace(JOIN, datastore="local", datastore_root="/shared/.metaflow")
    assert _variables(task)["METAFLOW_DATASTORE_SYSROOT_LOCAL"] == "/shared"


def test_packages_of_other_metaflows() -> None:
    old = dataclasses.replace(JOIN, code_metadata='{"mfcontent_version": 0}')
    assert _variables(old)["PYTHONPATH"] == "/work/metaflow"
    new = dataclasses.replace(JOIN, code_metadata='{"mfcontent_version": 9}')
    with pytest.raises(LaunchError, match="content version 9"):
        _variables(new)


def test_options_of_both_spellings() -> None:
    task = dataclasses.replace(JOIN, options=("--metadata", "service", "--datastore=s3"))
    assert (option(task, "metadata"), option(task, "datastore")) == ("service", "s3")
    assert option(task, "environment") is None


def test_a_step_gets_nothing_of_airflows(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    python = str(tmp_path / "venv" / "bin" / "python")
    found = step_environment(
        {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://secret",
            "AIRFLOW_CONN_AWS": "aws://key:secret@",
            "AIRFLOW_HOME": "/airflow",
            "AIRFLOW_CTX_DAG_ID": "x",
            "_AIRFLOW_FORK_EXEC": "1",
            "__AIRFLOW_SUPERVISOR_FD": "9",
            "METAFLOW_AIRFLOW_REST_API_PASSWORD": "secret",
            "METAFLOW_SERVICE_URL": "http://service",
            "AWS_ACCESS_KEY_ID": "key",
            "PYTHONPATH": "/airflow/lib",
            "PYTHONHOME": "/airflow",
            "VIRTUAL_ENV": "/airflow/venv",
            "UV_PROJECT_ENVIRONMENT": "/airflow/venv",
            "UV_SYSTEM_PYTHON": "1",
            "UV_INDEX_URL": "https://index",
            "PATH": "/bin",
        },
        python,
    )
    assert found == {
        "METAFLOW_SERVICE_URL": "http://service",
        "AWS_ACCESS_KEY_ID": "key",
        "PATH": f"{tmp_path}/venv/bin:/bin",
        "VIRTUAL_ENV": f"{tmp_path}/venv",
        "PYTHONUNBUFFERED": "x",
        "PYTHONUTF8": "1",
        "UV_INDEX_URL": "https://index",
    }


def test_a_step_outlives_metaflows_service_being_away_unless_somebody_said_how_long() -> None:
    service = dataclasses.replace(START, options=("--metadata=service",))
    name = "METAFLOW_SERVICE_RETRY_COUNT"

    assert _variables(service)[name] == "11"
    assert _variables(service, METAFLOW_AIRFLOW_PATIENCE="30")[name] == "6"
    assert _variables(service, **{name: "2"})[name] == "2"
    assert name not in _variables(START)
