"""Whom a run's end is told: Airflow's notifiers, as `create` and @airflow_notify name them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Graph
from metaflow_airflow.plan.secrets import looks_secret

DECORATOR = "airflow_notify"

_CLASS = re.compile(r"[a-z_]\w*(\.\w+)*\.[A-Za-z_]\w*")
_ARGUMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*")
_NEXT = re.compile(r"\s*(,(?=\s*\w+\s*=)|$)")  # before another argument: not any comma of a value
# What every callback of Airflow's DAG processor knows.
_FAILED = "{{ dag.dag_id }} failed: run {{ run_id }} ({{ reason }})"
_SUCCEEDED = "{{ dag.dag_id }} succeeded: run {{ run_id }}"


@dataclass(frozen=True)
class _Known:
    """A notifier with a short name; message: its arguments that take the text."""

    path: str
    message: tuple[str, ...]
    on_error: Mapping[str, Any] = field(default_factory=dict)
    on_success: Mapping[str, Any] = field(default_factory=dict)


_PROVIDERS = "airflow.providers"
_KNOWN = {
    "slack": _Known(f"{_PROVIDERS}.slack.notifications.slack.SlackNotifier", ("text",)),
    "slack_webhook": _Known(
        f"{_PROVIDERS}.slack.notifications.slack_webhook.SlackWebhookNotifier", ("text",)
    ),
    "smtp": _Known(
        f"{_PROVIDERS}.smtp.notifications.smtp.SmtpNotifier", ("subject", "html_content")
    ),
    "pagerduty": _Known(
        f"{_PROVIDERS}.pagerduty.notifications.pagerduty.PagerdutyNotifier",
        ("summary",),
        {"severity": "error"},
        {"severity": "info"},
    ),
}


@dataclass(frozen=True)
class Notifier:
    """One notifier.

    Args:
        path: of its class. arguments: of the constructor; names of connections, never secrets.
    """

    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """Where its class is."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Of its class."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Notifications:
    """Who is told of a run that failed, and of one that succeeded."""

    on_error: tuple[Notifier, ...] = ()
    on_success: tuple[Notifier, ...] = ()


def read_notifications(
    graph: Graph, on_error: Iterable[str] = (), on_success: Iterable[str] = ()
) -> Notifications:
    """All notifiers of a deployment: those of the flow's decorators first, none twice.

    Args:
        on_error, on_success: further ones, as the command line says them.

    Raises:
        BridgeError: one that is not to be understood, or shows a secret.
    """
    errors, successes = [], []
    for decorator in graph.decorators:
        if decorator.name == DECORATOR:
            errors += _texts(decorator.attributes.get("on_error"))
            successes += _texts(decorator.attributes.get("on_success"))
            if not errors and not successes:
                raise BridgeError(
                    f"@{DECORATOR} on flow *{graph.flow}* names nobody: give on_error or "
                    'on_success, such as "slack:channel=#alerts".'
                )
    return Notifications(
        tuple(read_notifier(text, failed=True) for text in dict.fromkeys([*errors, *on_error])),
        tuple(
            read_notifier(text, failed=False) for text in dict.fromkeys([*successes, *on_success])
        ),
    )


def read_notifier(text: str, *, failed: bool) -> Notifier:
    """A notifier as people write it: NAME or NAME:argument=value,…, values as JSON or as they are.

    Args:
        text: NAME is one of the short names, or the path of any notifier's class.
        failed: whether it tells of failures, for the message where none is given.

    Raises:
        BridgeError: it is not to be understood, or shows a secret.
    """
    name, _, rest = text.strip().partition(":")
    known = _KNOWN.get(name)
    if known is None and not _CLASS.fullmatch(name):
        raise BridgeError(
            f"Notifier {text!r}: {name!r} is neither {', '.join(_KNOWN)} nor the path of a class, "
            "such as airflow.providers.http.notifications.HttpNotifier."
        )
    arguments = _arguments(name, rest)
    for key, value in arguments.items():
        if looks_secret(key, value if isinstance(value, str) else json.dumps(value)):
            raise BridgeError(
                f"Notifier {name}: its {key} looks like a secret, which would stand in the DAG "
                "file for everybody to read. Put it into an Airflow connection and name that one "
                "(each notifier has an argument ending in conn_id)."
            )
    if known is None:
        return Notifier(name, arguments)
    message = _FAILED if failed else _SUCCEEDED
    said = dict.fromkeys(known.message, message)
    more = known.on_error if failed else known.on_success
    return Notifier(known.path, {**said, **more, **arguments})


def _texts(value: object) -> list[str]:
    """One text, or a list of them."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return list(value)
    raise BridgeError(
        f'@{DECORATOR}: {value!r} is neither a text such as "smtp:to=ops@example.com" nor a '
        "list of them."
    )


def _arguments(name: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while text.strip():
        begun = _ARGUMENT.match(text)
        if not begun:
            raise BridgeError(
                f"Notifier {name}: {text.strip()!r} is no argument. Write {name}:NAME=VALUE,…"
            )
        found[begun[1]], text = _value(text[begun.end() :])
    return found


def _value(text: str) -> tuple[Any, str]:
    """The value that a text begins with, and what follows it."""
    try:
        value, length = json.JSONDecoder().raw_decode(text)
    except ValueError:
        value, length = None, 0
    if length and (end := _NEXT.match(text, length)):
        return value, text[end.end() :]
    end = _NEXT.search(text)
    return (text, "") if end is None else (text[: end.start()], text[end.end() :])
