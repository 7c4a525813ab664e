"""Follows a run of the pipeline: task states as they change, and why a task failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from embedded.errors import StackError
from metaflow_airflow.airflow_api.client import AirflowClient, UnreachableError

from pipeline import task_log
from pipeline.by_events import Events
from pipeline.outcome import Json, Run
from pipeline.targets.base import Target

_POLL = 1.0
_LOG_LINES = 30
_RETRY_LINES = 8
_REVIVALS = 3
_AGAIN = "starting it again; the run goes on"
_PARENT = "scheduler"  # workers are forks of it
_TRIGGER = "TriggerDagRunOperator"
# The task that decides where trips come from, and whose warning it is when they are made up.
_PLANNING, _PLANNER = "months", "data_engineering"
_ENDED = ("success", "failed")
_UNDER_WAY = ("queued", "running", "deferred", "up_for_retry", "up_for_reschedule", "restarting")

Say = Callable[[str], None]


class PipelineFailedError(StackError):
    """A task or a run failed; the message names it and has the end of its log."""


class Follower:
    """Watches one run and those that its tasks and its events start, until all have ended."""

    def __init__(
        self, target: Target, client: AirflowClient, say: Say, events: Events | None = None
    ) -> None:
        self._target = target
        self._client = client
        self._say = say
        self._events = events
        self._seen: dict[tuple[str, ...], str] = {}
        self._revivals = 0
        self._ends = set(target.restarted())  # of before
        self.runs: list[Run] = []

    def follow(self, dag_id: str, run_id: str, deadline: float) -> list[Run]:
        """Wait for the run, and those that it leads to, to succeed and return all of them.

        `deadline` is on the monotonic clock. Raises PipelineFailedError, or StackError when a
        server dies and does not come back.
        """
        self.runs = [main := Run(dag_id, run_id)]
        while True:
            self._check_servers()
            try:
                self._look()
                for run in self.runs:
                    if run is main or self._events:
                        self._ask(run)
            except UnreachableError as error:
                self._note(("unreachable",), str(error))
            if self._is_over(main):
                self._finish(main)
                return self.runs
            if time.monotonic() > deadline:
                raise PipelineFailedError(f"not finished in time: {self._unfinished()}")
            time.sleep(_POLL)

    def _is_over(self, main: Run) -> bool:
        """Whether nothing more will come: all ended, or one failed, which leads to no others."""
        states = {run.state for run in self.runs}
        if self._events is None:
            return main.state in _ENDED
        if not states <= set(_ENDED):
            # What goes on beside a run that failed is waited for, but no more of it comes.
            return False
        if "failed" in states or len(self.runs) > self._events.number:
            return True
        if lacking := self._events.lacking(self.runs):
            raise PipelineFailedError(lacking)
        return False

    def _look(self) -> None:
        """Look at the tasks of all runs, of ended ones too: a retry of the task that triggered one
        resets it. In one request, as each second's competes with the tasks for the processor."""
        if self._events:
            self.runs += self._events.find(self.runs)
        runs = list(self.runs)
        tasks = list(self._client.tasks_of_runs([(run.dag_id, run.run_id) for run in runs]))
        for run in runs:
            run.tasks = [
                task
                for task in tasks
                if (task["dag_id"], task["dag_run_id"]) == (run.dag_id, run.run_id)
            ]
            for task in run.tasks:
                self._report(task, run)
                if task["operator_name"] == _TRIGGER and task["state"] is not None:
                    self._find_triggered(run, task)

    def _ask(self, run: Run) -> None:
        answer = self._client.run(run.dag_id, run.run_id)
        run.state = answer["state"]
        run.started, run.ended = _time(answer["start_date"]), _time(answer["end_date"])

    def _report(self, task: Json, run: Run) -> None:
        state = task["state"]
        if state is None or state in ("scheduled", "removed"):
            return
        took = f"  {task['duration']:.1f} s" if state in _ENDED and task["duration"] else ""
        again = f"  (try {task['try_number']})" if task["try_number"] > 1 else ""
        key = (task["dag_id"], task["dag_run_id"], task["task_id"], str(task["map_index"]))
        label = task["dag_id"].rpartition(".")[2]
        data = f"  of {run.partition}" if run.partition else ""
        news = self._note(key, f"{label:24} {_name(task):24} {state}{again}{took}{data}")
        if news and state == "up_for_retry":
            self._say(self._failure(task, _RETRY_LINES))
        if news and state == "success" and task["task_id"] == _PLANNING:
            for warning in task_log.warnings(self._client.log(task), _PLANNER):
                self._say(f"WARNING: {warning}")

    def _find_triggered(self, run: Run, task: Json) -> None:
        fields = task["rendered_fields"] or {}
        dag_id = fields.get("trigger_dag_id")
        if dag_id is None or any(each.dag_id == dag_id for each in self.runs):
            return
        run_id = self._client.xcom(run.dag_id, run.run_id, task["task_id"], "trigger_run_id")
        if run_id is not None:
            self.runs.append(Run(dag_id, run_id))

    def _finish(self, main: Run) -> None:
        self._look()
        for run in self.runs:
            self._ask(run)
        failed = [run for run in self.runs if run.state == "failed"]
        if not failed:
            return
        # A triggered run that failed takes the task that waits for it along: name the cause.
        cause = failed[0] if self._events else failed[-1]
        tasks = [task for task in cause.tasks if task["state"] == "failed"]
        names = ", ".join(_name(task) for task in tasks) or "no single task"
        # Mapped task instances often fail alike: the first one's log says it for all.
        firsts = {task["task_id"]: task for task in reversed(tasks)}
        logs = "\n".join(self._failure(task) for task in reversed(firsts.values()))
        raise PipelineFailedError(
            f"{cause.dag_id} failed in {names} (run {cause.run_id} of {main.dag_id}).\n{logs}"
        )

    def _failure(self, task: Json, lines: int = _LOG_LINES) -> str:
        said = task_log.lines(self._client.log(task))
        title = f"The end of the log of {task['dag_id']}.{_name(task)}"
        if not said:
            # Its process died before its first line: what it died of, its parent wrote.
            said = self._target.log_end(_PARENT).splitlines()
            title = f"{task['dag_id']}.{_name(task)} wrote no log. The end of the {_PARENT}'s"
        return "\n".join((f"{title}:", *(f"    {line}" for line in said[-lines:])))

    def _check_servers(self) -> None:
        """Report servers that died, and start those again that stay dead: the run goes on."""
        for number, report in self._target.restarted().items():
            if number not in self._ends:
                self._ends.add(number)
                self._say(f"{report}\n{_AGAIN}")
        failures = self._target.failures()
        if not failures:
            return
        for name, report in failures:
            self._say(f"{name}: {report}")
        self._revivals += 1
        if self._revivals > _REVIVALS:
            names = ", ".join(name for name, _ in failures)
            raise StackError(f"servers died again and again, last {names}: giving up")
        self._say(_AGAIN)
        self._target.revive()

    def _unfinished(self) -> str:
        tasks = [
            f"{task['dag_id']}.{task['task_id']} is {task['state']}"
            for run in self.runs
            for task in run.tasks
            if task["state"] in _UNDER_WAY
        ]
        return "; ".join(tasks) or "; ".join(f"{run.dag_id} is {run.state}" for run in self.runs)

    def _note(self, key: tuple[str, ...], text: str) -> bool:
        """Say what has not been said last of this thing; tell whether it was news."""
        if self._seen.get(key) == text:
            return False
        self._seen[key] = text
        self._say(text)
        return True


def _name(task: Json) -> str:
    index = task["map_index"]
    return str(task["task_id"]) if index < 0 else f"{task['task_id']}[{index}]"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
