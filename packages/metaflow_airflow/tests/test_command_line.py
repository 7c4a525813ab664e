"""What the verbs print: help that teaches, JSON and nothing else on standard output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOWS = Path(__file__).parent / "flows"
VERBS = (
    "create trigger resume status list-runs terminate suspend unsuspend delete explain".split()  # noqa: SIM905
)


def run(*arguments, flow="names"):
    return subprocess.run(
        [sys.executable, f"{flow}.py", "--no-pylint", "airflow", *arguments],
        cwd=FLOWS,
        env={"PATH": os.environ["PATH"], "METAFLOW_USER": "ann", "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_names_every_verb_and_the_exit_codes():
    done = run("--help")
    assert done.returncode == 0
    assert not [verb for verb in VERBS if f"  {verb} " not in done.stdout]
    assert "Exit codes: 0 done; 1 refused or failed" in done.stdout


def test_explain_prints_the_plan_as_json():
    done = run("explain", "--json")
    plan = json.loads(done.stdout)
    assert plan["dag_id"] == "Names"
    assert [block["name"] for block in plan["blocks"]] == ["begin", "middle", "finish"]


def test_stars_are_no_markup_in_what_is_printed_as_data():
    """Metaflow's own printing takes what stands between two of them for bold."""
    assert "starts by itself at '0 6 * * *' Europe/Berlin" in run("explain", flow="sensors").stdout
    plan = json.loads(run("explain", "--json", flow="sensors").stdout)
    assert plan["schedule"] == {"cron": "0 6 * * *", "timezone": "Europe/Berlin", "catchup": False}


@pytest.mark.parametrize("verb", ["status", "terminate"])
def test_wrong_usage_has_a_code_of_its_own(verb):
    done = run(verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument 'RUN_ID'" in done.stderr
