"""Metaflow's @trigger and @trigger_on_finish: the events that start a DAG.

An event is an Airflow asset of its name. The end of a flow's run is the event
`metaflow.<flow>.end`, with the project and branch before the flow, as on Metaflow's other
scheduler; the flow's last step publishes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Graph
from metaflow_airflow.plan.cron import five_fields
from metaflow_airflow.plan.dag import Triggers
from metaflow_airflow.plan.record import Parameter, Project
from metaflow_airflow.plan.step import Trigger

_EVENT = re.compile(r"[A-Za-z0-9_.-]{1,1500}|[A-Za-z][A-Za-z0-9+.-]*://\S{1,1400}")
_FIELD = re.compile(r"[A-Za-z0-9_]+")
_OPTIONS = ("reset_at",)


@dataclass(frozen=True)
class SaidTriggers:
    """What a flow's decorators say, with all that is decided when it is deployed.

    Args:
        events: of @trigger: {name, parameters}. flows: of @trigger_on_finish: {flow, project,
            branch}, the latter two where they are said.
        options: of the decorator. attributes: names of both decorators that the flow has.
    """

    events: tuple[Mapping[str, Any], ...] = ()
    flows: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def run_event(flow: str, project: Project | None) -> str:
    """The event that the end of a flow's run is."""
    return f"metaflow.{_full_name(flow, project)}.end"


def read_assets(graph: Graph) -> tuple[str, ...]:
    """URIs of the assets that a flow makes, by its @airflow_asset.

    Raises:
        BridgeError: one that is no URI, holds a password, or is named twice.
    """
    found: list[str] = []
    for decorator in graph.decorators:
        if decorator.name != "airflow_asset":
            continue
        uri = str(decorator.attributes.get("uri") or "").rstrip("/")
        if "://" not in uri or not _EVENT.fullmatch(uri):
            raise BridgeError(
                f"@airflow_asset(uri={uri!r}) on flow *{graph.flow}*: give the URI of what the "
                "flow makes, such as s3://bucket/predictions."
            )
        if "@" in urlsplit(uri).netloc:
            raise BridgeError(
                f"@airflow_asset on flow *{graph.flow}*: its URI names a user or a password, which "
                "would stand in the DAG file. Leave it out."
            )
        if uri in found:
            raise BridgeError(f"@airflow_asset names {uri} twice. Name it once.")
        found.append(uri)
    return tuple(found)


def plan_triggers(
    said: SaidTriggers,
    *,
    flow: str,
    project: Project | None,
    parameters: Sequence[Parameter],
) -> Triggers | None:
    """The events that start a flow.

    Args:
        flow: the flow that waits.

    Raises:
        BridgeError: a name, a mapping or an option that cannot be, or a flow that waits for itself.
    """
    if said.events and said.flows:
        raise BridgeError(
            f"Flow *{flow}* has @trigger and @trigger_on_finish, which together say neither 'and' "
            "nor 'or'. Use one of them: @trigger(events=[…]) takes the end of a flow too, as the "
            "event metaflow.FlowName.end."
        )
    if not said.events and not said.flows:
        return None
    events = tuple(_events(said, parameters) if said.events else _ends(said, project))
    names = [event.name for event in events]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise BridgeError(f"Flow *{flow}* waits for {', '.join(doubled)} twice. Name it once.")
    if run_event(flow, project) in names:
        raise BridgeError(
            f"Flow *{flow}* waits for its own end ({flow} -> {flow}): each run would start the "
            "next one, without an end. Give it a @schedule instead."
        )
    mapped = {name for event in events for name in event.parameters}
    for parameter in parameters:
        if parameter.required and parameter.name not in mapped:
            raise BridgeError(
                f"Parameter *{parameter.name}* is required and has no default, but flow *{flow}* "
                "is started by events, and none of them sets it. Give it a default, or map a "
                f"field of an event to it: @trigger(event={{'name': …, 'parameters': "
                f"{{{parameter.name!r}: 'field'}}}})."
            )
    return Triggers(events, _reset_at(said.options))


def _events(said: SaidTriggers, parameters: Sequence[Parameter]) -> Iterator[Trigger]:
    """Those of @trigger."""
    by_name = {each.name.lower(): each for each in parameters}
    seen: set[str] = set()
    for event in said.events:
        name = str(event["name"])
        if not _EVENT.fullmatch(name):
            raise BridgeError(
                f"@trigger waits for the event {name[:60]!r}: use letters, digits, '_', '-' and "
                "'.' for an event, or the URI of an Airflow asset."
            )
        mapping: dict[str, str] = {}
        for key, value in (event.get("parameters") or {}).items():
            parameter = by_name.get(key.lower())
            if parameter is None:
                known = ", ".join(each.name for each in parameters) or "none"
                raise BridgeError(
                    f"@trigger maps event {name} to parameter *{key}*, which the flow does not "
                    f"have (it has: {known})."
                )
            if parameter.kind == "file":
                raise BridgeError(
                    f"@trigger maps event {name} to *{key}*, which is an IncludeFile: no event "
                    "carries a file. Map the file's place to a parameter."
                )
            if not _FIELD.fullmatch(value):
                raise BridgeError(
                    f"@trigger maps field {value!r} of event {name} to parameter *{key}*: use "
                    "letters, digits and '_' for a field."
                )
            if parameter.name in seen:
                raise BridgeError(f"@trigger maps more than one field to parameter *{key}*.")
            seen.add(parameter.name)
            mapping[parameter.name] = value
        if not mapping and len(said.events) == 1:
            # Metaflow's rule: a single event sets the parameters that its fields are called like.
            mapping = {each.name: each.name for each in parameters if each.kind != "file"}
        required = tuple(n for n in mapping if by_name[n.lower()].required)
        name = name.rstrip("/") if "://" in name else name  # as Airflow keeps URIs
        yield Trigger(name, parameters=mapping, required=required)


def _ends(said: SaidTriggers, project: Project | None) -> Iterator[Trigger]:
    """Those of @trigger_on_finish, in this flow's project and branch unless it says another."""
    for flow in said.flows:
        name = flow.get("project") or (project.name if project else None)
        branch = flow.get("branch") or (project.branch if project else None)
        if bool(name) != bool(branch):
            raise BridgeError(
                f"@trigger_on_finish waits for flow *{flow['flow']}* and says "
                f"{'no branch' if name else 'no project'} of it: give both project and "
                "project_branch, or the flow a @project."
            )
        upstream = Project(name, branch) if name and branch else None
        yield Trigger(run_event(str(flow["flow"]), upstream), kind="run")


def _reset_at(options: Mapping[str, Any]) -> tuple[str, str] | None:
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise BridgeError(
            f"@trigger(options=…) has {', '.join(unknown)}: Airflow knows {', '.join(_OPTIONS)}."
        )
    reset = options.get("reset_at") or {}
    if not reset.get("cron"):
        return None
    timezone = str(reset.get("timezone") or "UTC")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BridgeError(f"@trigger(options=…) reset_at: no time zone {timezone!r}.") from error
    return five_fields(str(reset["cron"])), timezone


def _full_name(flow: str, project: Project | None) -> str:
    return f"{project.name}.{project.branch}.{flow}" if project else flow
