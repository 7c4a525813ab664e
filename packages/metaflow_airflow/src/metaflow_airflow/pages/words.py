"""Every word of the pages' own, in one place: templates, script and sentences take it from here."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # Headings
    "artifacts": "Artifacts",
    "cards": "Cards",
    "deployment": "Deployment",
    "lineage": "Lineage",
    "newest_runs": "Newest runs",
    "notebook": "In a notebook",
    "output": "Output, as Metaflow has it",
    "parameters": "Parameters",
    "steps": "Steps",
    "where": "Where it is",
    # Columns and terms
    "airflow": "Airflow",
    "by": "by",
    "code_package": "code package",
    "code_packages": "code packages",
    "commit": "commit",
    "dag_version": "DAG version",
    "dataset": "dataset",
    "datasets": "Datasets, from the first to the last",
    "datastore": "datastore",
    "default": "default",
    "exported_by": "exported by",
    "gives_to": "gives to",
    "item": "item",
    "meaning": "meaning",
    "metaflow": "Metaflow",
    "metaflow_task": "Metaflow task",
    "name": "name",
    "read_by": "read by",
    "size": "size",
    "started_by": "started by",
    "state": "state",
    "tags": "tags",
    "takes_from": "takes from",
    "took": "took",
    "triggered": "triggered",
    "triggered_by": "triggered by",
    "type": "type",
    "version": "version",
    "versions": "versions",
    "when": "when",
    "written_by": "written by",
    # What stands beside them
    "attempt": "attempt {number}",
    "attempt_log": "attempt {number}, {stream}",
    "card": "Card {title}",
    "items_of": "{step}: {count} items",
    "made_with": "metaflow-airflow {bridge}",
    "made_with_both": "metaflow-airflow {bridge}, Metaflow {metaflow}",
    "neighbours": "{step}, {count} items",
    "picture": "The artifact as a picture",
    "project": "project {name}, branch {branch}",
    "required": "required",
    "tagged": "Tags: {tags}",
    "this_run": "this run, {task}",
    # Where there is nothing
    "no_artifacts": "None.",
    "no_artifacts_yet": "None yet: artifacts are there when the attempt has ended.",
    "no_code_yet": "none has run yet",
    "no_parameters": "The flow has none.",
    "none_triggered": "nothing",
    "none_yet": "None yet.",
    "nobody": "nobody that is known here",
    "nobody_triggered": "no other run",
    # Links, buttons, fields
    "alone": "alone",
    "compare": "Artifacts to compare",
    "copied": "Copied",
    "copy": "Copy",
    "copy_of": "Copy: {what}",
    "example": "rmse, metrics.mae",
    "log_lines": "command that shows its log",
    "of_each_item": "Artifacts of each item",
    "run": "run",
    "run_lines": "lines that load this run",
    "show": "Show",
    "task_lines": "lines that load this task",
    "ui": "Metaflow UI",
    # What is left out
    "and_more": "and {count} more",
    "more_characters": "and {count} more characters",
    "more_rows": "and {count} more rows",
    "not_shown": "Not shown: {why}.",
    "too_large": "{type}, too large to be written out",
    "bytes": "{count} bytes, beginning with {first}",
    "empty": "(nothing)",
    # Sentences
    "not_a_step": "{task} is no step of the flow: it made nothing in Metaflow.",
    "not_known_yet": "Which Metaflow task this item is will be known when it has ended.",
    "no_task_yet": "Which Metaflow task {task} is, is not known yet.",
    "no_code": "Airflow has no code of DAG {dag}.",
    "no_flow": "{dag} is no Metaflow flow: {why}",
    "no_run": "{dag} has no run {run}.",
    "no_instance": "Airflow has no task instance {task}.",
    "no_connection": "The flow reads its datastore by connection {name}: {why}",
    "no_log": "{task} has no log {name}.",
    "no_card": "{task} has no card {name}.",
    "no_artifact": "{task} has no artifact {name}.",
    "too_many_bytes": "{path} has {size} bytes; a page shows at most {most}.",
    "late": "The datastore {root} did not answer within {seconds} s.",
    "unreadable": "The datastore {root} cannot be read: {why}",
    "unreadable_from_here": "The datastore {root} cannot be read from here: {why}",
    "no_obstore": "This page reads the datastore with the package obstore, which is not installed "
    "where Airflow's API server runs: install metaflow-airflow[airflow] there.",
    "no_answer": "Airflow did not answer: {why}",
}
IN_SCRIPT = ("copied", "copy", "empty", "no_answer")
"""Those that the script says."""


def say(word: str, **parts: object) -> str:
    """A word or sentence with its parts.

    Raises:
        KeyError: there is none of that name, or it lacks a part.
    """
    return WORDS[word].format(**parts)
