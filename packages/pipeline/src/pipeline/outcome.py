"""What a run of the pipeline came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.flows import DATA_DAG, PREDICT, TRAIN
from pipeline.options import Options

Json = dict[str, Any]


@dataclass
class Run:
    """One run of a DAG, as it was seen last."""

    dag_id: str
    run_id: str
    state: str = "queued"
    started: datetime | None = None
    ended: datetime | None = None
    tasks: list[Json] = field(default_factory=list)
    partition: str = ""  # key of the data that it is for

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it has not ended."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


@dataclass
class Outcome:
    """What there is to show at the end."""

    options: Options
    features: list[Json]
    report: Json
    runs: dict[str, Run]
    seconds: dict[str, float] = field(default_factory=dict)


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


def seconds_by_stage(
    runs: dict[str, Run], measured: dict[str, float], others: Sequence[Run] = ()
) -> dict[str, float]:
    """Return seconds by stage, in order; publishing is what the data run did before the flows.

    `others` are the runs of other months, which go on before those of `runs` and beside them.
    """
    data = runs[DATA_DAG]
    flows = [run for dag_id, run in runs.items() if dag_id != DATA_DAG] + [*others]
    starts = [run.started for run in flows if run.started]
    found = dict(measured)
    last = found.pop("read the results")
    if data.started and data.ended:
        end = min([*starts, data.ended])
        found["publish the features"] = (end - data.started).total_seconds()
        train = runs.get(TRAIN.dag_id)
        if others and train and train.started:
            found["the months before"] = max(0.0, (train.started - end).total_seconds())
    for name, flow in (("train", TRAIN), ("predict", PREDICT)):
        if flow.dag_id in runs:
            found[name] = runs[flow.dag_id].seconds
    return found | {"read the results": last}
