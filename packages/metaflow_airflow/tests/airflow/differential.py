"""One flow by `flow.py run` and on Airflow, and in what the two runs differ."""

from __future__ import annotations

from dataclasses import dataclass, field

# For a Python with the settings of a run's metadata: what each of its tasks left.
READ = """
import json, sys
from metaflow import Run, namespace
namespace(None)


def show(value):
    # A caught exception shows a traceback, whose paths are those of the process.
    return f"{value.type}: {value.exception}" if hasattr(value, "stacktrace") else repr(value)


tasks = {}
for step in Run(sys.argv[1]):
    for task in step if not step.id.startswith("_") else ():
        item = task.metadata_dict.get("foreach-execution-path", "")
        key = " ".join(filter(None, [step.id, item]))
        assert key not in tasks, f"{key} twice"
        tasks[key] = {
            "done": task.successful,
            "attempt": task.current_attempt,
            "artifacts": {
                artifact.id: show(artifact.data)
                for artifact in (task.artifacts if task.successful else ())
                if not artifact.id.startswith("_") and artifact.id != "name"
            },
        }
print("ANSWER" + json.dumps(tasks))
"""


@dataclass
class Ending:
    """How a run ended, and what its tasks left.

    Args:
        ok: whether it succeeded. tasks: by step and item, as READ has them.
    """

    ok: bool
    tasks: dict[str, dict[str, object]] = field(default_factory=dict)

    def done(self) -> dict[str, dict[str, object]]:
        """The tasks that succeeded."""
        return {key: task for key, task in self.tasks.items() if task["done"]}

    def failed(self) -> set[str]:
        """The steps of which a task began and did not succeed."""
        return {key.split()[0] for key, task in self.tasks.items() if not task["done"]}


def differences(local: Ending, remote: Ending) -> list[str]:
    """In what a run on Airflow differs from a local one that ran one task at a time.

    A local run ends with its first failure; Airflow goes on with the steps that need nothing of it.
    """
    found = []
    if local.ok != remote.ok:
        found.append(f"succeeded: {local.ok} locally, {remote.ok} on Airflow")
    if not local.failed() <= remote.failed():
        found.append(f"failed: {local.failed()} locally, {remote.failed()} on Airflow")
    here, there = local.done(), remote.done()
    if missing := sorted(set(here) - set(there)):
        found.append(f"done locally alone: {missing}")
    if local.ok and (more := sorted(set(there) - set(here))):
        found.append(f"done on Airflow alone: {more}")
    found += [
        f"{key}: {here[key]} locally, {there[key]} on Airflow"
        for key in sorted(set(here) & set(there))
        if here[key] != there[key]
    ]
    return found
