"""What starting one trivial step costs: bare, by the launcher, by upstream's command of a pod.

    uv run --all-packages benchmarks/step_start.py [repeats]

CPU counts all processes of a step. "fresh host" has never seen the code package.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT)]
from s3_server import running_in  # noqa: E402

from packages.metaflow_airflow.tests.runtime.support import (  # noqa: E402
    CODE_METADATA,
    FLOWS,
    LauncherRun,
    Platform,
)

UPSTREAM = """
import sys
sys.argv = ["trouble.py"]
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins.kubernetes.kubernetes import Kubernetes
class Datastore:
    TYPE = "s3"
url, metadata, run_id, step = sys.stdin.read().split("\\0")
kubernetes = Kubernetes(Datastore, None, MetaflowEnvironment(None))
command = kubernetes._command("TroubleFlow", run_id, "end", "t", 0, metadata, url, [step])
sys.stdout.write("\\0".join(command))
"""


def main(repeats: int) -> None:
    """Print one table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_in(Path(tempfile.mkdtemp(dir=folder))) as server,
    ):
        platform = Platform(server, Path(folder))
        run = LauncherRun(platform, "TroubleFlow", "trouble.py")
        start, _ = run.succeed("start")
        task = run.task("end", [start])
        host = Path(platform.environment["METAFLOW_AIRFLOW_TMPDIR"])
        ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "flow.py step": (lambda: None, _bare(platform, run, start)),
            "launcher": (lambda: None, lambda: _check(run.process(task).run().ok)),
            "launcher, fresh host": (
                lambda: shutil.rmtree(host),
                lambda: _check(run.process(task).run().ok),
            ),
            "upstream's pod command": (lambda: None, _upstream(platform, run, start)),
        }
        print(f"{'one trivial step':<26}{'CPU s':>8}{'wall s':>8}   (median of {repeats})")
        for name, (before, step) in ways.items():
            figures = [_measure(before, step) for _ in range(repeats + 1)][1:]
            cpu, wall = (statistics.median(column) for column in zip(*figures, strict=True))
            print(f"{name:<26}{cpu:>8.2f}{wall:>8.2f}", flush=True)


def _measure(before: Callable[[], None], step: Callable[[], None]) -> tuple[float, float]:
    before()
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    step()
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, wall


def _step_command(run: LauncherRun, start: str) -> list[str]:
    return [
        "trouble.py",
        *run.task("end").options,
        "step",
        "end",
        f"--run-id={run.run_id}",
        "--task-id=t",
        "--retry-count=0",
        f"--input-paths={start}",
    ]


def _bare(platform: Platform, run: LauncherRun, start: str) -> Callable[[], None]:
    command = [sys.executable, *_step_command(run, start)]

    def step() -> None:
        subprocess.run(command, cwd=FLOWS, env=platform.environment, check=True)

    return step


def _upstream(platform: Platform, run: LauncherRun, start: str) -> Callable[[], None]:
    url, _ = platform.package(run.flow, run.script)
    step_command = " ".join(["python", *_step_command(run, start)])
    made = subprocess.run(
        [sys.executable, "-c", UPSTREAM],
        input="\0".join([url, CODE_METADATA, run.run_id, step_command]),
        env=platform.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**platform.environment, "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1", "PATH": path}

    def step() -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = made.stdout.split("\0")
            subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)

    return step


def _check(ok: bool) -> None:
    if not ok:
        sys.exit("the step failed")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
