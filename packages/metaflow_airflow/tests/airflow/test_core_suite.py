"""A sample of Metaflow's own core suite, where its source tree is at hand.

METAFLOW_SOURCE=/path/to/metaflow (a checkout) runs it; core_suite/README.md says how to run more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = os.environ.get("METAFLOW_SOURCE", "")
RUN = Path(__file__).parent.parent / "core_suite" / "run.py"

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not SOURCE, reason="METAFLOW_SOURCE names no Metaflow source tree"),
]

# Merged artifacts, a switch in a foreach, loops and a run that is resumed: few tasks each.
SAMPLE = {
    "single-and-branch": "MergeArtifactsTest",
    "switch_in_foreach": "SwitchInForeachTest",
    "recursive_switch": "RecursiveSwitchFlowTest,ResumeRecursiveSwitchFlowTest",
    "single-linear-step": "ResumeEndStepTest,TaskExceptionTest",
}


@pytest.mark.parametrize("graph", SAMPLE)
def test_the_sample_passes(bridge, graph):
    done = subprocess.run(
        [sys.executable, str(RUN), SOURCE, f"--graphs={graph}", f"--tests={SAMPLE[graph]}"],
        env=dict(bridge.environment),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    for name in SAMPLE[graph].split(","):
        assert f"test '{name}' graph '{graph}' in context 'airflow': success" in done.stdout
