"""What Metaflow keeps of a task in its datastore: attempts, artifacts, logs, cards. Pure.

<root>/<flow>/<run>/<step>/<task>/<attempt>.data.json          artifacts, by their content's key
<root>/<flow>/<run>/<step>/<task>/<attempt>.DONE.lock          the attempt has ended
<root>/<flow>/<run>/<step>/<task>/<attempt>.task_stdout.log
<root>/<flow>/data/<key[:2]>/<key>                             content
<cards>/<flow>/runs/<run>/steps/<step>/tasks/<task>/cards/<type>[-<id>]-<hash>.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ATTEMPT = re.compile(r"^(\d+)\.(attempt\.json|DONE\.lock|data\.json)$")
_LOG = re.compile(r"^(\d+)\.(\w+)_(stdout|stderr)\.log$")
_CARD = re.compile(r"^(?P<type>[^-]+)(?:-(?P<id>[^-]+))?-(?P<hash>[^-.]+)\.html$")
_TYPE = re.compile(r"^<class '(.+)'>$")
# A line of Metaflow's log files: what precedes the text.
_LINE = re.compile(r"^(?:\[!)?\[MFLOG\|\d+\|[^|]*Z\|[^|]*\|[^\]]*\](?P<text>.*)$")
# What a run sets beside the flow's own artifacts begins so.
_INTERNAL = "_"


@dataclass(frozen=True)
class Attempt:
    """One attempt of a task: its number, whether it has ended, its log files' names."""

    number: int
    ended: bool
    logs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """An artifact: the key of its content, its type's name, its size in bytes as pickled."""

    name: str
    key: str
    type: str
    size: int | None

    def path(self, flow: str) -> str:
        """Where its content is, below the datastore's root."""
        return f"{flow}/data/{self.key[:2]}/{self.key}"


@dataclass(frozen=True)
class Card:
    """A card's file; id: given by the flow to tell its cards apart."""

    name: str
    type: str
    id: str | None

    @property
    def title(self) -> str:
        """What to call it."""
        return f"{self.id} ({self.type})" if self.id else self.type


def attempts(names: Iterable[str]) -> list[Attempt]:
    """The attempts of a task, first to last, from the names of its files."""
    ended: dict[int, bool] = {}
    logs: dict[int, list[str]] = {}
    for name in sorted(names):
        if found := _ATTEMPT.match(name):
            number = int(found[1])
            ended[number] = ended.get(number, False) or found[2] == "DONE.lock"
        elif found := _LOG.match(name):
            ended.setdefault(int(found[1]), False)
            logs.setdefault(int(found[1]), []).append(name)
    return [Attempt(number, ended[number], tuple(logs.get(number, ()))) for number in sorted(ended)]


def artifacts(data: Mapping[str, Any]) -> list[Artifact]:
    """The flow's own artifacts in an attempt's data.json, by name."""
    info = data.get("info", {})
    found = []
    for name, key in sorted(data.get("objects", {}).items()):
        if name.startswith(_INTERNAL):
            continue
        said = info.get(name, {})
        kind = _TYPE.match(str(said.get("type", "")))
        found.append(
            Artifact(
                name, str(key), kind[1] if kind else str(said.get("type", "")), said.get("size")
            )
        )
    return found


def cards(names: Iterable[str]) -> list[Card]:
    """The cards of a task, from the names of its card files."""
    matches = (_CARD.match(name) for name in sorted(names))
    return [Card(found[0], found["type"], found["id"]) for found in matches if found]


def cards_path(pathspec: str) -> str:
    """Where a task's cards are, below the root of the cards."""
    flow, run, step, task = pathspec.split("/")
    return f"{flow}/runs/{run}/steps/{step}/tasks/{task}/cards"


def log_text(data: bytes) -> str:
    """A log file's own lines, without what Metaflow wrote before each."""
    lines = []
    for line in data.decode("utf-8", "replace").splitlines():
        found = _LINE.match(line)
        lines.append(found["text"] if found else line)
    return "\n".join(lines)
