"""Steps as pods: who waits for them, beside `flow.py run` on this machine without pods.

    KUBECONFIG=… METAFLOW_AIRFLOW_TEST_SERVICE_URL=http://127.0.0.1:8080 \
        uv run --all-packages benchmarks/pods.py [--image IMAGE] [--ways WAY,…] [row …]

One row a flow: three (three trivial steps), 50 (a foreach of trivial items), 300, wait (a foreach
of 50 whose items wait 60 s), and 1000 if it is named. Each row in one run, one way after the other:

- run: `flow.py run`, processes on this machine, no pods;
- triggerer: the same flow in pods that the triggerer follows;
- worker: the same flow in pods that workers wait for (`--pods-on worker`, KubernetesPodOperator);
- deferrable: a hand-written DAG of as many KubernetesPodOperators in deferrable mode, whose pods do
  less: they import metaflow, and wait where the flow's items do.

--ways leaves some out. Pods ask for a quarter core, those that wait for a fiftieth. MiB: what
Airflow's processes, S3 and database hold at most beyond an idle stack (PSS). pods: the most at
once, waiting ones included. CPU: of all containers of a pod, on average. Needs a cluster whose node
is this machine, the image in it, a metadata service.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beside_run import FLOWS, Memory, end_when_told, on_airflow, timed
from embedded.stack import Stack
from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.bundle.objects import FolderObjects
from metaflow_airflow.bundle.versions import Versions
from watching import Watcher

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT)]
from waiting import until  # noqa: E402

from packages.metaflow_airflow.tests.airflow import in_pods  # noqa: E402

BY_HAND = """
import time

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, Param, task
from kubernetes.client import V1ResourceRequirements

POD = {{
    "namespace": "{namespace}",
    "image": "{image}",
    "image_pull_policy": "IfNotPresent",
    "cmds": ["python", "-c"],
    "deferrable": True,
    "retries": 0,
}}
WORK = ["import metaflow"]


def asks(cpu):
    requests = {{"cpu": cpu, "memory": "400M"}}
    return POD | {{"container_resources": V1ResourceRequirements(requests=requests)}}


with DAG("by_hand_chain", schedule=None, is_paused_upon_creation=False) as chain:
    first, second, third = (
        KubernetesPodOperator(task_id=f"step_{{n}}", arguments=WORK, **asks("250m"))
        for n in (1, 2, 3)
    )
    first >> second >> third

for name, cpu in (("by_hand_fan", "250m"), ("by_hand_wait", "20m")):
    with DAG(
        name, schedule=None, is_paused_upon_creation=False, max_active_tasks=100,
        params={{"size": Param(50, type="integer"), "seconds": Param(0, type="number")}},
    ) as fan:

        @task
        def items(params=None):
            work = f"import metaflow, time; time.sleep({{params['seconds']}})"
            return [[work] for _ in range(params["size"])]

        start = KubernetesPodOperator(task_id="start", arguments=WORK, **asks(cpu))
        made = items()
        each = KubernetesPodOperator.partial(task_id="item", **asks(cpu)).expand(arguments=made)
        join = KubernetesPodOperator(task_id="join", arguments=WORK, **asks(cpu))
        start >> made
        each >> join >> KubernetesPodOperator(task_id="end", arguments=WORK, **asks(cpu))
    globals()[name] = fan
"""


@dataclass(frozen=True)
class Row:
    """A flow with its parameters, and the hand-written DAG of the same shape."""

    title: str
    file: str
    dag_id: str
    by_hand: str
    conf: Mapping[str, float]
    cpu: float = 0.25

    @property
    def size(self) -> int:
        """How many items its foreach has."""
        return int(self.conf.get("size", 1))


WAYS = ("run", "triggerer", "worker", "deferrable")

ROWS = {
    "three": Row("3 trivial steps", "three_trivial", "ThreeTrivial", "by_hand_chain", {}),
    "50": Row("foreach of 50", "fan", "Fan", "by_hand_fan", {"size": 50}),
    "300": Row("foreach of 300", "fan", "Fan", "by_hand_fan", {"size": 300}),
    "1000": Row("foreach of 1,000", "fan", "Fan", "by_hand_fan", {"size": 1000}),
    "wait": Row(
        "50 that wait 60 s", "fan", "Fan", "by_hand_wait", {"size": 50, "seconds": 60.0}, cpu=0.02
    ),
}

# 1,000 take half an hour in each way.
USUAL = [name for name in ROWS if name != "1000"]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", default="platform/pod:local")
    parser.add_argument("--ways", default=",".join(WAYS), metavar="WAY,…")
    parser.add_argument("rows", nargs="*", default=USUAL, metavar="row")
    options = parser.parse_args()
    ways = options.ways.split(",")
    if unknown := set(ways) - set(WAYS):
        parser.error(f"no such way: {', '.join(unknown)}; there are {', '.join(WAYS)}")
    kubeconfig, service = os.environ["KUBECONFIG"], in_pods.service_url()
    if not service:
        sys.exit("set METAFLOW_AIRFLOW_TEST_SERVICE_URL to a metadata service on 127.0.0.1")
    end_when_told()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "state")
        stack.up()
        try:
            with in_pods.way_to_cluster(stack, kubeconfig, service, options.image) as settings:
                client = AirflowClient(stack.airflow_url, *stack.airflow_login)
                by_hand = BY_HAND.format(namespace=in_pods.NAMESPACE, image=options.image)
                table = Table(stack, client, settings, ways, by_hand)
                table.head()
                for name in options.rows:
                    table.row(ROWS[name])
        finally:
            stack.down()


class Table:
    """Runs each flow in each way and prints what it took."""

    def __init__(
        self,
        stack: Stack,
        client: AirflowClient,
        settings: Mapping[str, str],
        ways: Sequence[str],
        by_hand: str,
    ) -> None:
        self._stack, self._client, self._settings, self._ways = stack, client, settings, ways
        self._by_hand = by_hand

    def head(self) -> None:
        """The columns."""
        print(f"{'flow':<18}", end="")
        for way in self._ways:
            print(f"{way + ' s':>14}", end="")
            if way != "run":
                print(f"{'ratio':>7}{'MiB':>6}{'pods':>6}{'CPU s':>7}", end="")
        print(flush=True)

    def row(self, row: Row) -> None:
        """One flow; ratio is to the first way."""
        print(f"{row.title:<18}", end="", flush=True)
        first: float | None = None
        for way in self._ways:
            seconds = self._run(row) if way == "run" else self._measure(row, way, first)
            first = first or seconds
        print(flush=True)

    def _run(self, row: Row) -> float:
        given = [f"--{name}={value:g}" for name, value in row.conf.items()]
        splits = f"--max-num-splits={max(100, row.size)}"
        path = str(FLOWS / f"{row.file}.py")
        seconds = timed([path, "run", splits, *given], self._stack.environment())
        print(f"{seconds:>14.1f}", end="", flush=True)
        return seconds

    def _export(self, row: Row, way: str) -> None:
        asks = {"METAFLOW_KUBERNETES_CPU": str(row.cpu)}
        timed(
            [str(FLOWS / f"{row.file}.py"), "--with", "kubernetes", "airflow", "create",
             "--pods-on", way],
            {**self._stack.environment(), **self._settings, **asks},
        )  # fmt: skip
        self._client.set_paused(row.dag_id, False)

    def _measure(self, row: Row, way: str, beside: float | None) -> float:
        by_hand = way == "deferrable"
        versions = Versions(FolderObjects(self._stack.dags_folder))
        if by_hand:
            versions.write({"by_hand.py": self._by_hand.encode()})
            until(lambda: has(self._client, row.by_hand), "the hand-written DAG")
        else:
            # Airflow parses it again and again, which takes longer than all else of the others.
            versions.write({"by_hand.py": None})
            self._export(row, way)
        with Memory(self._stack) as memory, PodCpu() as cpu, PodCount() as count:
            dag_id = row.by_hand if by_hand else row.dag_id
            seconds = on_airflow(self._stack, self._client, dag_id, row.conf)
        until(lambda: not in_pods.pods(os.environ["KUBECONFIG"]), "the end of all pods")
        ratio = seconds / (beside or seconds)
        print(f"{seconds:>14.1f}{ratio:>7.2f}{memory.most / 2**20:>6.0f}", end="")
        print(f"{count.most:>6}{cpu.mean:>7.2f}", end="", flush=True)
        return seconds


class PodCount(Watcher):
    """The most pods that there were at once, those included for which there is no room yet."""

    interval = 15  # listing a hundred pods takes a tenth of a second of CPU

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def look(self) -> None:
        """Keep the most."""
        self.most = max(self.most, len(in_pods.pods(os.environ["KUBECONFIG"])))


class PodCpu(Watcher):
    """CPU seconds of each pod on this node, from its control group, which goes with the pod."""

    interval = 0.3

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[Path, float] = {}
        self._before = set(self._groups())

    @property
    def mean(self) -> float:
        """Of a pod."""
        return sum(self._seen.values()) / len(self._seen) if self._seen else 0.0

    def look(self) -> None:
        """Keep the most of each pod that was not there before."""
        for group in self._groups():
            if group not in self._before:
                self._seen[group] = max(self._seen.get(group, 0.0), _cpu(group))

    def _groups(self) -> list[Path]:
        root = Path("/sys/fs/cgroup")
        first = root / "cpuacct" if (root / "cpuacct").is_dir() else root
        return [path for path in first.glob("kubepods*/*/pod*") if path.is_dir()]


def _cpu(group: Path) -> float:
    try:
        if (group / "cpuacct.usage").exists():
            return int((group / "cpuacct.usage").read_text()) / 1e9
        return int((group / "cpu.stat").read_text().split()[1]) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0  # gone meanwhile


def has(client: AirflowClient, dag_id: str) -> bool:
    """Whether Airflow has read the DAG; not if its file was gone and has not been read again."""
    try:
        return not client.dag(dag_id)["is_stale"]
    except NotFoundError:
        return False


if __name__ == "__main__":
    main()
