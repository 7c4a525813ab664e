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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
# What one of its tests wants to be installed.
_EXTENSIONS = "extensions"
EXCLUDED: dict[str, str] = json.loads((HERE / "excluded.json").read_text())


@contextmanager
def suite(source: Path) -> Iterator[Path]:
    """A copy of the suite that has our context alone, as long as it is needed.

    Args:
        source: a checkout of Metaflow's repository.
    """
    with tempfile.TemporaryDirectory(prefix="core_suite_") as folder:
        core = Path(folder, "core")
        shutil.copytree(source / "test" / "core", core)
        shutil.copytree(source / "test" / "extensions" / "packages", core / _EXTENSIONS)
        theirs = json.loads((core / "contexts.json").read_text())
        ours = json.loads((HERE / "context.json").read_text())
        ours["python"] = str(HERE / "on_airflow.py")
        ours["disabled_tests"] = [*EXCLUDED]
        contexts = {"contexts": [ours], "checks": theirs["checks"]}
        (core / "contexts.json").write_text(json.dumps(contexts))
        yield core


def python(core: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a Python of this environment in the suite's folder.

    Args:
        core: the suite. arguments: of Python. options: of subprocess.run.
    """
    environment = {
        "USER": "tester",  # the suite wants it even where METAFLOW_USER says it
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, sorted((core / _EXTENSIONS).iterdir()))),
        "TMPDIR": str(core.parent),
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=core, env=environment, check=False, text=True, **options)  # type: ignore[call-overload]


if __name__ == "__main__":
    with suite(Path(sys.argv[1])) as folder:
        sys.exit(python(folder, "run_tests.py", "--inherit-env", *sys.argv[2:]).returncode)
