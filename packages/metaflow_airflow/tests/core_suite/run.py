"""Run Metaflow's core suite (test/core of its repository) against the Airflow of a stack.

    stack exec -- python run.py /path/to/metaflow [OPTIONS of its run_tests.py]

The checkout stays as it is: a copy gets context.json as its only context, and on_airflow.py as the
Python that its flows run with.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def run(source: Path, *options: str) -> int:
    """Run the combinations that options of the suite's own name; its exit code.

    Args:
        source: a checkout of Metaflow's repository.
        options: as `--tests=A,B`, `--graphs=linear`, `--num-parallel=2`, `--debug`.
    """
    with tempfile.TemporaryDirectory(prefix="core_suite_") as folder:
        core = Path(folder, "core")
        shutil.copytree(source / "test" / "core", core)
        theirs = json.loads((core / "contexts.json").read_text())
        ours = json.loads((HERE / "context.json").read_text())
        ours["python"] = str(HERE / "on_airflow.py")
        ours["disabled_tests"] = [*json.loads((HERE / "excluded.json").read_text())]
        contexts = {"contexts": [ours], "checks": theirs["checks"]}
        (core / "contexts.json").write_text(json.dumps(contexts))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, "run_tests.py", "--inherit-env", *options]
        # The suite wants the name of the user even where METAFLOW_USER says it.
        environment = {"USER": "tester", **os.environ, "PATH": path, "TMPDIR": folder}
        return subprocess.run(command, cwd=core, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *sys.argv[2:]))
