"""The pipeline, end to end: features published, model trained, durations predicted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metaflow_airflow.wire.ids import run_id

from embedded import results
from embedded.airflow_api import AirflowApi
from embedded.errors import StackError
from embedded.export import EXPORT_SECONDS, FLOWS, PREDICT, TRAIN, Export, Flow
from embedded.follow import Follower, Run
from embedded.stack import Stack
from embedded.start import FLOWS_ENV
from embedded.target import Target

DATA_DAG = "data_engineering_dag"
_DAGS_SECONDS = 120.0
_POLL = 0.5

Say = Callable[[str], None]
Json = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to run the pipeline on: `month` is predicted, `train_months` come before it."""

    cab: str = "green"
    month: str = "2024-01"
    train_months: tuple[str, ...] = ()
    source: str = ""
    rows: int | None = None
    seed: int | None = None
    timeout: float = 1800.0

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The months to train on: as given, else the month before `month`."""
        return self.train_months or (month_before(self.month),)

    def conf(self) -> Json:
        """Return the parameters of the DAG run."""
        given = {"rows": self.rows, "seed": self.seed, "source": self.source or None}
        return {
            "cab": self.cab,
            "month": self.month,
            "train_months": list(self.trained_on),
            "run_flows": True,
            "train_dag_id": TRAIN.dag_id,
            "predict_dag_id": PREDICT.dag_id,
            **{name: value for name, value in given.items() if value is not None},
        }


@dataclass
class Outcome:
    """What there is to show at the end."""

    options: Options
    features: list[Json]
    report: Json
    runs: dict[str, Run]
    seconds: dict[str, float] = field(default_factory=dict)


def month_before(month: str) -> str:
    """Return the month before: "2024-01" gives "2023-12"."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


class Stages:
    """Seconds a stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the body."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def bring_up(stack: Stack, ports: dict[str, int]) -> bool:
    """Bring the stack up and export the flows meanwhile; return whether it had to be started."""
    with stack.starting(ports) as start:
        start.wait_for(FLOWS_ENV, "s3")
        export = Export(stack)
        export.start()
        try:
            start.wait()
            export.finish(EXPORT_SECONDS)
        except BaseException:
            export.stop()
            raise
    return start.begun


def run(target: Target, options: Options, say: Say) -> Outcome:
    """Run the pipeline on a target that is up, its flows exported; raises StackError on failure."""
    stages = Stages()
    api = AirflowApi(target.airflow_url, *target.airflow_login)
    with stages.stage("Airflow loads the DAGs"):
        wait_for_dags(target, api)
        for dag_id in (DATA_DAG, *(flow.dag_id for flow in FLOWS)):
            api.unpause(dag_id)
    name = f"pipeline__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    api.trigger(DATA_DAG, name, options.conf())
    say(f"{DATA_DAG} runs as {name}")
    deadline = time.monotonic() + options.timeout
    runs = Follower(target, api, say).follow(DATA_DAG, name, deadline)
    with stages.stage("read the results"):
        outcome = Outcome(
            options=options,
            features=results.features(
                target.environment(), options.cab, (*options.trained_on, options.month)
            ),
            report=results.report(target, *(_metaflow_run(runs, flow) for flow in FLOWS)),
            runs=runs,
        )
    outcome.seconds = seconds_by_stage(runs, stages.seconds)
    return outcome


def wait_for_dags(target: Target, api: AirflowApi, flows: Sequence[Flow] = FLOWS) -> None:
    """Wait until Airflow has loaded the DAGs as they are in their files now.

    Raises StackError with the import error of the file, at once when Airflow reports one.
    """
    files = {DATA_DAG: target.data_dag}
    files |= {flow.dag_id: target.flow_dag(flow.dag_file) for flow in flows}
    since = {dag_id: _changed(target, file) for dag_id, file in files.items()}
    deadline = time.monotonic() + _DAGS_SECONDS
    while missing := [dag_id for dag_id in since if not _is_loaded(api, dag_id, since[dag_id])]:
        for dag_id in missing:
            _check_import(api, Path(files[dag_id]).name, since[dag_id])
        for name, report in target.failures():
            raise StackError(f"{name}: {report}")
        if time.monotonic() > deadline:
            raise StackError(
                f"Airflow has not loaded {', '.join(missing)} within {_DAGS_SECONDS:.0f} s, and "
                f"reports no import error: see the DAG processor's log in {target.logs_folder}"
            )
        time.sleep(_POLL)


def _is_loaded(api: AirflowApi, dag_id: str, since: float) -> bool:
    dag = api.dag(dag_id)
    if dag is None or dag["is_stale"] or dag["last_parsed_time"] is None:
        return False
    return datetime.fromisoformat(dag["last_parsed_time"]).timestamp() >= since


def _check_import(api: AirflowApi, file: str, since: float) -> None:
    for error in api.import_errors():
        of_this_text = datetime.fromisoformat(error["timestamp"]).timestamp() >= since
        if Path(error["filename"]).name == file and of_this_text:
            raise StackError(
                f"Airflow cannot load the DAG file {error['filename']} "
                f"(bundle {error['bundle_name']}):\n{error['stack_trace']}"
            )


def _changed(target: Target, file: str) -> float:
    changed = target.changed(file)
    if changed is None:
        raise StackError(f"there is no DAG file {file}")
    return changed


def _metaflow_run(runs: dict[str, Run], flow: Flow) -> str:
    if flow.dag_id not in runs:
        raise StackError(f"{DATA_DAG} succeeded without a run of {flow.dag_id}")
    return run_id(flow.dag_id, runs[flow.dag_id].run_id)


def seconds_by_stage(runs: dict[str, Run], measured: dict[str, float]) -> dict[str, float]:
    """Return seconds by stage, in order; publishing is what the data run did before the others."""
    data = runs[DATA_DAG]
    others = [r.started for dag_id, r in runs.items() if dag_id != DATA_DAG and r.started]
    found = dict(measured)
    last = found.pop("read the results")
    if data.started and data.ended:
        end = min([*others, data.ended])
        found["publish the features"] = (end - data.started).total_seconds()
    for name, flow in (("train", TRAIN), ("predict", PREDICT)):
        if flow.dag_id in runs:
            found[name] = runs[flow.dag_id].seconds
    return found | {"read the results": last}
