"""What a deployment says of itself: written once, as JSON in its DAG file, and read by `Record`.

Airflow's side reads it whenever it parses the file, whoever looks for deployments reads it from
the file's text: neither runs anything of the file for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.step import Deployment, Python, Trigger

Kind = Literal["string", "integer", "number", "boolean", "json", "file"]
# Airflow's database keeps 1e22 as a whole number, and its workers are sent none beyond 64 bits.
LEAST, MOST = -(2**63), 2**64 - 1
_NUMBERS = {"minimum": LEAST, "maximum": MOST}
_JSON_TYPES = ("object", "array", "string", "number", "boolean", "null")


@dataclass(frozen=True)
class Parameter:
    """A flow's parameter as a typed field of Airflow's trigger form.

    Args:
        kind: "json": any JSON value; "file": an IncludeFile, whose value says where its content
            is in the datastore.
        default: as JSON. None: the step takes the flow's own (or it is required).
        encoding: of a file's content; None for bytes.
    """

    name: str
    kind: Kind = "string"
    default: Any = None
    required: bool = False
    description: str = ""
    encoding: str | None = None

    @property
    def takes_null(self) -> bool:
        """Whether null is a value, and not the word for the flow's own default."""
        return self.kind == "json" and self.default is not None

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON schema types that it takes."""
        if self.kind == "json":
            return _JSON_TYPES
        own = "string" if self.kind == "file" else self.kind
        return (own,) if self.required or self.default is not None else ("null", own)

    @property
    def schema(self) -> dict[str, Any]:
        """What Airflow takes for it, as JSON schema."""
        types = list(self.types)
        found: dict[str, Any] = {"type": types if len(types) > 1 else types[0]}
        if self.kind in ("integer", "number", "json"):
            found |= _NUMBERS
        if self.kind == "json":  # and each part of it: "#" is this schema
            found |= {"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}}
        if self.kind == "file":  # where its content is; a path means nothing to a worker
            found["pattern"] = r'^"?\{'
        if self.description:
            found["description"] = self.description
        return found


@dataclass(frozen=True)
class Project:
    """What @project makes of a flow.

    Args:
        branch: as `current.branch_name` has it, such as test.new_model.
    """

    name: str
    branch: str
    production: bool = False


@dataclass(frozen=True, kw_only=True)
class Record:
    """A deployment.

    Args:
        dag_id: the DAG's id. flow: the flow's class.
        triggers: the events that start it; it waits for all of them.
        steps: names of the flow's steps. start_in_pod: whether the first of them runs in a pod.
        format: of the file's words (see step.FORMAT). exported_by, metaflow: versions of both.
        commit: of the repository that the flow was exported from; "" where it lay in none.
        deployment: what its steps need.
    """

    dag_id: str
    flow: str
    format: int
    exported_by: str = ""
    metaflow: str = ""
    commit: str = ""
    project: Project | None = None
    deployment: Deployment
    parameters: tuple[Parameter, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    steps: tuple[str, ...] = ()
    start_in_pod: bool = False

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((each for each in self.parameters if each.name == name), None)

    def to_json(self) -> str:
        """As JSON text, a value a line, without what has its default."""
        text = json.dumps(_said(self), indent=2, ensure_ascii=False)
        # Half of a surrogate pair stands in no file.
        return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)

    @property
    def shown(self) -> str:
        """What Airflow shows of it (JSON): another text for each other export, if of code alone."""
        export = hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
        return json.dumps({"export": export, "code": self.deployment.code})

    @classmethod
    def from_json(cls, text: str) -> Record:
        """From JSON text; what a newer version added is left out.

        Raises:
            BridgeError: no JSON, or a field is missing.
        """
        try:
            values = json.loads(text)
            deployment = _known(Deployment, values["deployment"])
            if python := deployment.pop("python", None):
                deployment["python"] = Python(python["executable"], tuple(python["bootstrap"]))
            project = values.get("project")
            parameters = [Parameter(**_known(Parameter, p)) for p in values.get("parameters", ())]
            triggers = [Trigger(**_known(Trigger, t)) for t in values.get("triggers", ())]
            return replace(
                cls(**{**_known(cls, values), "deployment": Deployment(**deployment)}),
                parameters=tuple(parameters),
                triggers=tuple(triggers),
                project=Project(**_known(Project, project)) if project else None,
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise BridgeError(
                f"The record of the deployment cannot be read ({error}). Export the flow again."
            ) from error


_T = TypeVar("_T")


def _said(value: Any) -> Any:
    """A dataclass without the fields that have their default, as plain values."""
    said: dict[str, Any] = {}
    for field in fields(value):
        own = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if own == default and type(own) is type(default):
            continue
        if isinstance(own, Deployment | Parameter | Project):
            own = _said(own)
        elif isinstance(own, Python):
            own = asdict(own)
        elif isinstance(own, tuple):
            own = [_said(each) if isinstance(each, Parameter | Trigger) else each for each in own]
        said[field.name] = dict(own) if isinstance(own, Mapping) else own
    return said


def _known(cls: type[_T], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a dataclass's fields, lists as tuples where the field is one."""
    return {
        field.name: tuple(value) if "tuple" in str(field.type) else value
        for field in fields(cls)  # type: ignore[arg-type]
        if (value := values.get(field.name, MISSING)) is not MISSING
    }
