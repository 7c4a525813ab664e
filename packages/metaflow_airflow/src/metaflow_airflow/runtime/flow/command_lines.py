"""The flow's command lines for one attempt. Pure, but for one too long to be one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...wire.task import Init, StepTask

_LONG = 64 * 1024  # bytes; Linux takes 128 KiB for a script after bash's -c
_FROM_FILE = (
    "import json, runpy, sys; sys.argv = json.load(open(sys.argv[1], encoding='utf-8')); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def top_arguments(task: StepTask) -> list[str]:
    """What stands before the subcommand."""
    return [*task.options, *(f"--with={spec}" for spec in task.decospecs)]


def init_arguments(task: StepTask, init: Init) -> list[str]:
    """`init …`: writes the run's parameters.

    The values stand on the command line and not, as upstream has it, in METAFLOW_INIT_* variables:
    click takes an empty variable for none at all.
    """
    arguments = [f"--run-id={task.run_id}", f"--task-id={init.task_id}"]
    arguments += [f"--tag={tag}" for tag in task.tags]
    arguments += [
        f"--{name}={parameter_text(value)}"
        for name, value in init.parameters.items()
        if value is not None
    ]
    return [*top_arguments(task), "init", *arguments]


def parameter_text(value: Any) -> str:
    """A parameter's value as a command line has it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def input_paths(task: StepTask) -> str:
    """The step's inputs as Metaflow's option takes them."""
    paths = task.input_paths
    if task.init is not None:
        paths = (f"{task.run_id}/_parameters/{task.init.task_id}",)
    return ",".join(paths)


def step_arguments(task: StepTask, inputs_file: str | None = None) -> list[str]:
    """`step …`: runs the attempt.

    Args:
        inputs_file: file that holds the input paths, if they do not stand here.
    """
    arguments = [
        task.step,
        f"--run-id={task.run_id}",
        f"--task-id={task.task_id}",
        f"--retry-count={task.attempt}",
        f"--max-user-code-retries={task.max_user_code_retries}",
    ]
    if inputs_file:
        arguments.append(f"--input-paths-filename={inputs_file}")
    else:
        arguments.append(f"--input-paths={input_paths(task)}")
    if task.split_index is not None:
        arguments.append(f"--split-index={task.split_index}")
    arguments += [f"--tag={tag}" for tag in task.tags]
    if task.namespace:
        arguments.append(f"--namespace={task.namespace}")
    if task.origin_run_id:
        arguments.append(f"--clone-run-id={task.origin_run_id}")
    return [*top_arguments(task), "step", *arguments]


def python_words(task: StepTask, arguments: Sequence[str], long: Path) -> list[str]:
    """What stands after Python's name to run the flow's script with these arguments.

    Args:
        long: file to write them to where they are more than one program can be started with.
    """
    words = [task.script, *arguments]
    if sum(len(word.encode()) for word in words) < _LONG:
        return words
    long.write_text(json.dumps(words), encoding="utf-8")
    return ["-c", _FROM_FILE, str(long)]


def shell_script(task: StepTask, commands: Sequence[Sequence[str]]) -> str:
    """The commands as a bash script, in the environment that the flow's --environment makes.

    Args:
        commands: what stands after Python's name, one list for each run of it.
    """
    lines = [
        # What upstream's bootstrap commands call; here the launcher keeps the logs.
        'mflog() { echo "$1"; }',
        "flush_mflogs() { :; }",
        " && ".join(
            [
                *task.bootstrap,
                # The executable is a piece of shell: it may hold variables and options.
                *(f"{task.executable} {shlex.join(words)}" for words in commands),
            ]
        ),
    ]
    return "\n".join(lines)
