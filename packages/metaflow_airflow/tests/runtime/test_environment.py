"""What a step finds around it, and what it leaves."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from .support import LauncherRun, Platform

ELSEWHERE: dict[str, Any] = {
    "HOME": "/tmp/somebody's home",
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "example.org",
    "SSL_CERT_FILE": "/gone/ca.pem",
    "METAFLOW_AIRFLOW_UMASK": "027",
}
"""A worker's own."""


@pytest.fixture(scope="module")
def run(platform: Platform) -> LauncherRun:
    """A run whose start step has ended."""
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    task = dataclasses.replace(
        run.task("start"), env={"MINE": "ö = 1", "PYTHONPATH": "/mine"}, production_token="tok"
    )
    result = run.process(
        task,
        AIRFLOW__CORE__FERNET_KEY="secret",
        AIRFLOW_CONN_X="secret",
        _AIRFLOW_PROCESS_CONTEXT="client",
        **ELSEWHERE,
    ).run()
    assert result.ok, run.text()
    return run


def test_a_step_finds_what_upstreams_schedulers_give_it(
    platform: Platform, run: LauncherRun
) -> None:
    url, sha = platform.package("TroubleFlow", "trouble.py")
    found = platform.artifacts(run.spec("start"))
    variables = found["variables"]
    expected = {
        "METAFLOW_CODE_URL": url,
        "METAFLOW_CODE_SHA": sha,
        "METAFLOW_CODE_DS": "s3",
        "METAFLOW_RUN_ID": run.run_id,
        "METAFLOW_RUNTIME_NAME": "airflow",
        "METAFLOW_USER": "tester",
        "METAFLOW_PRODUCTION_TOKEN": "tok",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_ATTEMPT_NUMBER": "0",
        "PYTHONUNBUFFERED": "x",
        "MINE": "ö = 1",
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert not [name for name in variables if name.startswith(("AIRFLOW", "_AIRFLOW"))]


def test_a_workers_own_settings_hinder_no_step(platform: Platform, run: LauncherRun) -> None:
    found = platform.artifacts(run.spec("start"))
    assert found["umask"] == 0o27
    assert found["encoding"] == "utf-8"
    assert "SSL_CERT_FILE (/gone/ca.pem) names a file" in run.text("stderr")


def test_the_script_runs_as_python_would_run_it(platform: Platform, run: LauncherRun) -> None:
    found = platform.artifacts(run.spec("start"))
    assert found["executable"] == sys.executable
    assert found["argv0"] == "trouble.py"
    assert found["main_file"] == f"{found['cwd']}/trouble.py"
    assert found["path"][:3] == [found["cwd"], f"{found['cwd']}/.mf_code", "/mine"]
    assert not [each for each in found["path"] if "metaflow_airflow/runtime" in each]


def test_the_step_leaves_nothing_on_the_host(platform: Platform, run: LauncherRun) -> None:
    found = platform.artifacts(run.spec("start"))
    assert not Path(found["cwd"]).exists()
    host = Path(platform.environment["METAFLOW_AIRFLOW_TMPDIR"])
    assert not list(host.glob("metaflow-airflow-*/step-*"))
    assert not list(host.glob("metaflow-airflow-*/locks/*"))


def test_files_that_a_step_writes_are_its_own(platform: Platform, run: LauncherRun) -> None:
    """The next step of the flow on this host does not find them."""
    result = run.run("start", attempt=1, env={"TROUBLE": "write_local"})
    assert result.ok, run.text()
    host = Path(platform.environment["METAFLOW_AIRFLOW_TMPDIR"])
    assert not list(host.rglob("left_behind.txt"))
    compiled = list(host.glob("metaflow-airflow-*/code/*/files/.mf_code/metaflow/__pycache__/*"))
    assert compiled, "Metaflow is compiled once for all steps of a host"


def test_local_metadata_without_a_shared_folder_is_refused(platform: Platform) -> None:
    """Each step would write it into its own temporary folder."""
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    result = run.process(run.task("start"), METAFLOW_DATASTORE_SYSROOT_LOCAL="").run()
    assert not result.ok
    assert result.exit_code == 78
    assert "METAFLOW_DATASTORE_SYSROOT_LOCAL" in (result.error or "")


def test_a_parameter_of_a_megabyte_arrives_by_shell_too(platform: Platform) -> None:
    text = "zone-ä " * 150_000
    run = LauncherRun(platform, "ParametersFlow", "parameters.py", {"text": text, "needed": "x"})
    task = dataclasses.replace(run.task("start"), bootstrap=("true",), executable=sys.executable)
    result = run.process(task).run()
    assert result.ok, run.text()
    assert platform.artifacts(run.spec("start"))["text"] == text


def test_an_environment_of_its_own_runs_by_shell(platform: Platform) -> None:
    """As @conda and @pypi have it: bootstrap, then init and step with another executable."""
    run = LauncherRun(platform, "TroubleFlow", "trouble.py")
    task = dataclasses.replace(
        run.task("start"),
        bootstrap=("echo 'Bootstrapping'", "flush_mflogs", f"export MF_ARCH={sys.prefix}"),
        executable="$MF_ARCH/bin/python -s",
        env={"TROUBLE": "fail"},
    )
    result = run.process(task).run()
    assert result.reason == "exit code 1: ValueError: the answer is not 41"
    assert ("stdout", "Bootstrapping") in run.lines
    again = dataclasses.replace(task, attempt=1, env={})
    assert run.process(again).run().ok, run.text()
    assert platform.artifacts(run.spec("start"))["variables"]["METAFLOW_ATTEMPT_NUMBER"] == "1"
