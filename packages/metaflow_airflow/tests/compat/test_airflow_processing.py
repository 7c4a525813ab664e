"""What is mended in Airflow's DAG processor is still there to be mended."""

import subprocess
import sys

# In a Python of its own: what is mended stays mended.
_QUEUED = """
import sys
from pathlib import Path

from airflow.dag_processing import manager
from airflow.utils import timezone
from metaflow_airflow.compat.airflow_processing import forget_callbacks

folder = Path(sys.argv[1])
(folder / "dag.py").touch()
file = manager.DagFileInfo(Path("dag.py"), "flows", folder)
callback = manager.DagFileInfo(Path("dag.py"), "flows", folder, "a-version")

def queued():
    processor = manager.DagFileProcessorManager(max_runs=-1)
    processor._file_stats[file] = manager.DagFileStat(last_finish_time=timezone.utcnow())
    processor._file_stats[callback] = manager.DagFileStat(run_count=0)
    processor.prepare_file_queue({"flows": {file}})
    return len(processor._file_queue)

before = queued()
forget_callbacks()
forget_callbacks()
print("ANSWER", before, queued())
"""


def test_forget_callbacks(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _QUEUED, str(tmp_path)],
        env={"PATH": "", "AIRFLOW_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "ANSWER 1 0" in done.stdout, (
        f"Airflow's own is mended when it is 0 before, too: then forget_callbacks can go.\n"
        f"{done.stdout}{done.stderr}"
    )
