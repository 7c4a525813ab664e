"""A Deployer for a deployed flow whose own file is not here: its commands run on a stand-in."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from metaflow.client.core import get_metadata
from metaflow.runner.deployer import Deployer, generate_fake_flow_file_contents

from metaflow_airflow.plan.record import Parameter, Record

_TYPES = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "json": "JSON"}


def deployer_of(record: Record, metadata: str | None = None) -> Any:
    """The deployer of a deployment; its file goes when the deployer does."""
    contents = generate_fake_flow_file_contents(
        flow_name=record.flow,
        param_info={
            each.name: _parameter(each, number) for number, each in enumerate(record.parameters)
        },
        project_name=record.project.name if record.project else None,
    )
    # A folder of its own: Python imports from beside the file, and anybody may write to /tmp.
    folder = tempfile.mkdtemp(prefix="deployed-")
    path = Path(folder, "flow.py")
    path.write_text(contents, encoding="utf-8")
    deployer = Deployer(
        str(path),
        env={"METAFLOW_USER": record.deployment.owner},
        pylint=False,
        **_options(record),
    ).airflow(**({} if record.project else {"name": record.dag_id}))
    weakref.finalize(deployer, shutil.rmtree, folder, ignore_errors=True)
    deployer.name = record.dag_id
    deployer.flow_name = record.flow
    deployer.metadata = metadata or get_metadata()
    deployer.additional_info = {}
    return deployer


def _options(record: Record) -> dict[str, Any]:
    """Where the deployment's production token is kept, and its branch."""
    deployment = record.deployment
    options: dict[str, Any] = {"datastore": deployment.datastore}
    if deployment.datastore_root:
        options["datastore_root"] = deployment.datastore_root
    if record.project:
        kind, _, branch = record.project.branch.partition(".")
        if record.project.production:
            options["production"] = True
        if branch and kind != "user":
            options["branch"] = branch
    return options


def _parameter(parameter: Parameter, number: int) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "python_var_name": f"parameter_{number}",
        "type": _TYPES.get(parameter.kind, "FilePath"),
        "is_text": parameter.encoding is not None,
        "encoding": parameter.encoding or "utf-8",
        "description": _quoted(parameter.description),
        "is_required": parameter.required,
    }


def _quoted(text: str) -> str:
    """A text as it stands between three quotes of Python's; JSON's escapes are Python's too."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("'", r"\'")
