"""One attempt of one Metaflow task, and what came of it, as data that travels as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from .exit_codes import NO_RETRY

FORMAT = 1
"""Of the JSON; raised when an older reader would run a task wrongly."""


RETRY_COUNT_VARIABLE = "METAFLOW_AIRFLOW_RETRY_COUNT"
"""Tells a step its attempt without those that the infrastructure lost: `current.retry_count`."""

RESULT_BYTES = 4096
"""Of a result: what a container's termination message holds."""


ASSETS = "_airflow_assets"
"""The artifact of a flow's last step: what the events of its own assets carry, by their URIs."""


class TaskFormatError(ValueError):
    """The JSON is not the description of a task that this version can run."""


@dataclass(frozen=True)
class Init:
    """How the run's parameters come to be, before its start step.

    Args:
        task_id: of the `_parameters` task.
        parameters: values by parameter name; any JSON. None: the flow's own default.
        clone: id of another run, whose values are taken instead.
    """

    task_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    clone: str | None = None


@dataclass(frozen=True)
class Clone:
    """A task of another run; if it has finished, this one becomes a copy of it.

    Args:
        pathspec: run/step/task, of the task's first generation (see ids); the last one counts.
        inputs_began: Unix time; a task that is older than its own inputs is stale.
        parameters: id of this run's `_parameters` task, when the copy takes its values.
    """

    pathspec: str
    inputs_began: float = 0.0
    parameters: str | None = None


@dataclass(frozen=True)
class Loop:
    """A switch step that may choose itself: each iteration is a Metaflow task of its own.

    Args:
        first: Metaflow's id of iteration 0, in its first generation (see ids).
        most: iterations that there may be.
        number: of Airflow's try, 0-based. begin: the first try since somebody cleared the task.
        retries: of each iteration. user_retries: those of them that run the step's own code.
        lost: the tries since then that the infrastructure lost, 0-based.
    """

    first: str
    most: int
    number: int
    begin: int
    retries: int
    user_retries: int
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepTask:
    """One attempt of one Metaflow task.

    Args:
        flow: the flow's class. script: its file inside the code package.
        code_url, code_sha, code_metadata: the code package (METAFLOW_CODE_*).
        datastore, datastore_root: where artifacts live; datastore is a type ("s3").
        options: top-level options of the flow's command line, complete ("--metadata=local", …).
        attempt: 0-based, below Metaflow's 6 (see ids.life).
        max_user_code_retries: last attempt of the step's own code; may be negative.
        input_paths: run/step/task, or run/step/task/attempt, in input order.
        split_index: of the item, for the steps that a foreach step leads to.
        decospecs: decorators attached on the command line (--with).
        namespace: None for the default one. origin_run_id: the run that this one resumes.
        init: for the start step; None for all others.
        owner: the user who deployed. production_token: the production namespace's name.
        bootstrap, executable: what Metaflow's --environment, if it is another than "local",
            answers for the step: shell commands, and a piece of shell for its Python.
        env: variables for the step; never secrets.
        defaults: variables where the place that it runs in does not set them.
        clone: the task of which this one may become a copy, instead of running.
        loop: for a switch step that may choose itself; the rest of the task is its iteration 0.
        hooks: exit hooks to call instead of running a step: import paths, or functions' names.
    """

    flow: str
    script: str
    code_url: str
    code_sha: str
    datastore: str
    datastore_root: str
    step: str
    run_id: str
    task_id: str
    attempt: int
    code_metadata: str = ""
    options: tuple[str, ...] = ()
    max_user_code_retries: int = 0
    input_paths: tuple[str, ...] = ()
    split_index: int | None = None
    decospecs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    origin_run_id: str | None = None
    init: Init | None = None
    owner: str = ""
    production_token: str = ""
    bootstrap: tuple[str, ...] = ()
    executable: str = "python"
    env: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    clone: Clone | None = None
    loop: Loop | None = None
    hooks: tuple[str, ...] = ()

    @property
    def in_shell(self) -> bool:
        """Whether a shell makes the step's environment first."""
        return bool(self.bootstrap) or self.executable != "python"

    @property
    def pathspec(self) -> str:
        """run/step/task, as input paths name it."""
        return f"{self.run_id}/{self.step}/{self.task_id}"

    def pathspec_of(self, result: StepResult | None) -> str:
        """The same of the task that gave the result: of a loop the last iteration."""
        task_id = (result.task_id if result else None) or self.task_id
        return f"{self.run_id}/{self.step}/{task_id}"

    def to_json(self) -> str:
        """As JSON text."""
        values = asdict(self)
        if self.loop is None:
            del values["loop"]  # unknown to launchers of code packages from before 0.2
        elif not self.loop.lost:
            del values["loop"]["lost"]  # unknown to those from before 0.3
        return json.dumps({"format": FORMAT, **values})

    @classmethod
    def from_json(cls, text: str) -> StepTask:
        """From JSON text.

        Raises:
            TaskFormatError: no JSON object, or written by a bridge that is too new.
        """
        values = _object(text, "a step task")
        written = values.pop("format", None)
        if written != FORMAT:
            raise TaskFormatError(
                f"The step task has format {written!r}; this metaflow-airflow reads {FORMAT}. "
                "Install the same version where Airflow runs and where the step runs."
            )
        for name, kind in (("init", Init), ("clone", Clone), ("loop", Loop)):
            if values.get(name):
                values[name] = kind(**_with_tuples(values[name]))
        return _make(cls, values)


@dataclass(frozen=True)
class StepResult:
    """What came of an attempt.

    Args:
        exit_code: of the step; 128 + n when signal n ended it.
        cardinality: how many items a foreach step made. choice: the step that a switch picked.
        error: the last line of the step's own error, or why it was ended.
        timed_out: by @timeout.
        killed_by: number of the signal that ended the step.
        copied: Unix time at which the task began that this one became a copy of.
        memory: bytes that its container had used at most when it was killed for them.
        task_id: of the last iteration of a loop. final: another attempt would end the same way,
            whatever the exit code.
        values: of a foreach step's items, shortened; None where they are not known, or too many.
        read, wrote: URIs of the datasets that the step named; None where it named none.
        assets: what the events of the flow's own assets carry, by their URIs.
        infrastructure: whether it failed of what is around the step, not of the step.
    """

    ok: bool
    exit_code: int
    cardinality: int | None = None
    choice: str | None = None
    error: str | None = None
    timed_out: bool = False
    killed_by: int | None = None
    copied: float | None = None
    memory: int | None = None
    task_id: str | None = None
    final: bool | None = None
    values: tuple[str, ...] | None = None
    read: tuple[str, ...] | None = None
    wrote: tuple[str, ...] | None = None
    assets: Mapping[str, Mapping[str, Any]] | None = None
    infrastructure: bool | None = None

    @property
    def is_final(self) -> bool:
        """Whether another attempt would end the same way."""
        return bool(self.final) or self.exit_code in NO_RETRY

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        parts = []
        if self.killed_by is not None:
            parts.append(f"killed by {signal_name(self.killed_by)}")
        elif not self.ok:
            parts.append(f"exit code {self.exit_code}")
        if self.timed_out:
            parts.append("timed out")
        return ": ".join([", ".join(parts), *([self.error] if self.error else [])])

    @property
    def datasets(self) -> dict[str, list[str]]:
        """What the step named, as its XCom has it; empty where it named nothing."""
        said = {"read": self.read, "wrote": self.wrote}
        return {verb: list(uris) for verb, uris in said.items() if uris}

    def to_json(self, at_most: int | None = None) -> str:
        """As JSON text, of at most so many bytes: values and datasets left out, the error cut."""
        # What is not said leaves room, and is not unknown to an older reader.
        values = {key: value for key, value in asdict(self).items() if value is not None}
        text = json.dumps(values)
        for name in ("values", "read", "wrote"):
            if at_most is not None and len(text) > at_most and values.pop(name, None):
                text = json.dumps(values)
        while at_most is not None and len(text) > at_most and values.get("error"):
            keep = len(values["error"]) - max(1, (len(text) - at_most) // 6)
            values["error"] = values["error"][:keep]
            text = json.dumps(values)
        return text

    @classmethod
    def from_json(cls, text: str) -> StepResult:
        """From JSON text.

        Raises:
            TaskFormatError: no JSON object.
        """
        return _make(cls, _object(text, "a step result"))


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_T = TypeVar("_T", StepTask, StepResult)


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise TaskFormatError(f"Not {what} in JSON: {error}.") from error
    if not isinstance(values, dict):
        raise TaskFormatError(f"Not {what}: a JSON object was expected, not {text[:40]!r}.")
    return values


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(val) if isinstance(val, list) else val for key, val in values.items()}


def _make(cls: type[_T], values: dict[str, Any]) -> _T:
    known = {item.name for item in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise TaskFormatError(f"{cls.__name__}: unknown field {', '.join(unknown)}.")
    try:
        return cls(**_with_tuples(values))
    except TypeError as error:
        raise TaskFormatError(f"{cls.__name__}: {error}.") from error
