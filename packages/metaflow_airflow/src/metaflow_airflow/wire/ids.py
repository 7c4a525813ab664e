"""From Airflow's names and tries to Metaflow's run, task and attempt. Pure.

Metaflow knows 6 attempts of a task; Airflow's try number grows with every retry and every clear,
without bound. Try n (0-based) is attempt n % 6 of *generation* n // 6, and each generation is a
Metaflow task of its own (`t`, `t.g1`, `t.g2`, …, where t stands for t-<hash of run and step>).
What Airflow runs between two clears is a *life*: its first try is the number of tries before it.
With @retry(times=1) and @catch (3 tries more):

| try_number | max_tries | life begins at | task, attempt | max user retries | runs                |
|------------|-----------|----------------|---------------|------------------|---------------------|
| 1          | 4         | 0              | t, 0          | 1                | the step            |
| 2          | 4         | 0              | t, 1          | 1                | the step            |
| 3          | 4         | 0              | t, 2          | 1                | @catch's fallback   |
| (cleared)  |           |                |               |                  |                     |
| 4          | 7         | 3              | t, 3          | 4                | the step, afresh    |
| 5          | 7         | 3              | t, 4          | 4                | the step            |
| 6          | 7         | 3              | t, 5          | 4                | @catch's fallback   |
| 7          | 7         | 3              | t.g1, 0       | -2               | @catch's fallback   |
| (cleared)  |           |                |               |                  |                     |
| 8          | 11        | 7              | t.g1, 1       | 2                | the step, afresh    |

A try that the infrastructure lost (its worker was killed, its node drained) is an attempt of the
task like any other, but counts for no retry, up to the *budget* of a life; those beyond it count.
With @retry(times=0), a budget of 3 and try 1 lost, try 2 is t, 1 with max user retries 1.

Ids never look like integers (Metaflow takes those for ids that its service gave out) and hold
nothing but letters, digits, "-" and "." (its lists of input paths use ",", ":" and "!").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ATTEMPTS = 6
"""Metaflow's own limit (metaflow_config.MAX_ATTEMPTS)."""

RUN_ID_PREFIX = "airflow-"


@dataclass(frozen=True)
class Life:
    """Where a try stands.

    Args:
        generation: which Metaflow task. attempt: of it, 0-based.
        max_user_code_retries: last attempt, in this generation's numbers, that runs the step's own
            code; @catch's fallback runs after it.
        begin: how many tries there were before this life.
        lost: those of it (0-based) that count for no retry.
    """

    generation: int
    attempt: int
    max_user_code_retries: int
    begin: int
    lost: tuple[int, ...] = ()

    @property
    def retry_count(self) -> int:
        """The attempt's number without those that were lost: Metaflow's `current.retry_count`."""
        first = self.generation * MAX_ATTEMPTS
        return self.attempt - sum(each >= first for each in self.lost)

    @property
    def failures(self) -> int:
        """How many tries of this life counted for a retry."""
        return self.generation * MAX_ATTEMPTS + self.attempt - self.begin - len(self.lost)

    @property
    def cleared(self) -> bool:
        """Whether somebody cleared the task before."""
        return self.begin > 0


def life(
    *,
    try_number: int,
    max_tries: int,
    retries: int,
    user_retries: int,
    budget: int = 0,
    failed: Collection[int] | None = None,
) -> Life:
    """The attempt that a try of an Airflow task instance is.

    Args:
        try_number: Airflow's, 1-based. max_tries: Airflow's, `retries + budget` unless cleared.
        retries: the step's. user_retries: those that run the step's own code.
        budget: how many tries of a life the infrastructure may lose.
        failed: the tries (1-based) in which the step itself failed; None: all before this one.

    Raises:
        ValueError: try_number below 1.
    """
    if try_number < 1:
        raise ValueError(f"try_number counts from 1, not {try_number}")
    number = try_number - 1
    # The DAG may have been exported with other retries since max_tries was written: a life never
    # begins after the try that it contains.
    granted = retries + budget
    begin = min(max(max_tries - granted, 0), number)
    if number > begin + granted:
        # More tries than Airflow grants: a running task was cleared, which leaves max_tries as it
        # was. What somebody asked for anew is never answered with a fallback.
        begin = number
    own = range(1, try_number) if failed is None else failed
    lost = tuple(each for each in range(begin, number) if each + 1 not in own)[:budget]
    generation, attempt = divmod(number, MAX_ATTEMPTS)
    last = begin + len(lost) + max(user_retries, 0) - generation * MAX_ATTEMPTS
    if user_retries >= retries:
        last = max(last, attempt)
    return Life(
        generation=generation,
        attempt=attempt,
        max_user_code_retries=last,
        begin=begin,
        lost=lost,
    )


def run_id(dag_id: str, dag_run_id: str) -> str:
    """Metaflow's run id for a DAG run; 64 bits of a hash, so that nobody needs to be asked."""
    return RUN_ID_PREFIX + _hash([dag_id, dag_run_id])


def task_id(run: str, step: str, path: Sequence[int] = (), generation: int = 0) -> str:
    """Metaflow's task id, which no other task of the run has: t-<hash>, t-<hash>-2-5.g1.

    Args:
        run: Metaflow's run id. path: indexes of its item, outermost foreach first.
    """
    first = "-".join(["t", _hash([run, step])[:12], *map(str, path)])
    return next_generation(first, generation)


def next_generation(first: str, generation: int) -> str:
    """The id of a task's generation, from its first one's."""
    return f"{first}.g{generation}" if generation else first


def iteration_task_id(first: str, iteration: int) -> str:
    """The first id of a loop's iteration, from that of its iteration 0: t, t.i1, t.i2."""
    return f"{first}.i{iteration}" if iteration else first


def former_task_id(first: str) -> str:
    """The id that the bridge gave the task before 0.2: t, t-2-5. Runs of then can be resumed."""
    _, _, *path = first.split("-")
    return "-".join(["t", *path])


def parameters_task_id(parameters: Mapping[str, Any], code: str = "") -> str:
    """Id of the run's `_parameters` task: a start step that is cleared finds its own again.

    Args:
        code: what a start step that was cleared runs. Defaults, Configs and the flow's graph, which
            are kept there too, may be others than those of the run's first life.
    """
    return "p-" + _hash([*sorted(parameters.items()), *([code] if code else [])])


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
