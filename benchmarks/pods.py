"""Steps as pods: who waits for them, beside `flow.py run` on this machine without pods.

    KUBECONFIG=… METAFLOW_AIRFLOW_TEST_SERVICE_URL=http://127.0.0.1:8080 \
        uv run --all-packages benchmarks/pods.py [--image platform/pod:local] [foreach size …]

For each flow: wall time of `flow.py run` (processes), of the same flow in pods that the triggerer
follows, and in pods that workers wait for (KubernetesPodOperator); memory is what Airflow's
processes hold at most beyond an idle stack (PSS). Pods ask for a quarter core. Needs what the
cluster tests need: a cluster whose node is this machine, the image in it, a metadata service.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from beside_run import FLOWS, _Memory, _on_airflow, _timed
from embedded.stack import Stack
from metaflow_airflow.deploy.rest import AirflowClient

sys.path.insert(0, str(Path(__file__).parents[1] / "packages/metaflow_airflow/tests/airflow"))
import in_pods

SIZES = (50, 300)
WAYS = ("triggerer", "worker")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="platform/pod:local")
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    options = parser.parse_args()
    kubeconfig, service = os.environ["KUBECONFIG"], in_pods.service_url()
    if not service:
        sys.exit("set METAFLOW_AIRFLOW_TEST_SERVICE_URL to a metadata service on 127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "state")
        stack.up()
        try:
            with in_pods.way_to_cluster(stack, kubeconfig, service, options.image) as settings:
                _table(stack, settings, tuple(options.sizes))
        finally:
            stack.down()


def _table(stack: Stack, settings: dict[str, str], sizes: tuple[int, ...]) -> None:
    print(f"{'flow':<20}{'run s':>8}", end="")
    for way in WAYS:
        print(f"{way + ' s':>14}{'ratio':>7}{'MiB':>7}", end="")
    print(flush=True)
    _row(stack, settings, "three_trivial", "ThreeTrivial", "3 trivial steps", None)
    for size in sizes:
        _row(stack, settings, "fan", "Fan", f"foreach of {size}", size)


def _row(
    stack: Stack, settings: dict[str, str], file: str, dag_id: str, title: str, size: int | None
) -> None:
    path = FLOWS / f"{file}.py"
    given = [f"--size={size}"] if size else []
    bare = _timed(
        [str(path), "run", f"--max-num-splits={size or 100}", *given], stack.environment()
    )
    print(f"{title:<20}{bare:>8.1f}", end="", flush=True)
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    for way in WAYS:
        _timed(
            [str(path), "--with", "kubernetes", "airflow", "create", "--pods-on", way],
            {**stack.environment(), **settings},
        )
        client.set_paused(dag_id, False)
        with _Memory(stack) as memory:
            seconds = _on_airflow(client, dag_id, {"size": size} if size else {})
        print(f"{seconds:>14.1f}{seconds / bare:>7.2f}{memory.most / 2**20:>7.0f}", end="")
        print(end="", flush=True)
    print(flush=True)


if __name__ == "__main__":
    main()
