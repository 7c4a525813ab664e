"""When a model is promoted, and the tags that say so. Pure: figures and tags in, decisions out.

A run that was promoted carries the tag champion:<taxis>:<branch>, and the same with the time of its
promotion. Of several, the latest is the champion and the one before it is what a rollback returns
to: promoting and demoting change the tags of one run, in one write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

from ml_flows.evaluation import Lead

PRODUCTION = "prod"
CHAMPION, CHALLENGER, DEMOTED = "champion", "challenger", "demoted"
_TIME = "%Y%m%dT%H%M%S.%fZ"


class Scope(NamedTuple):
    """What a champion is the champion of: taxis ("green", "made-up-green") and project branch."""

    taxis: str
    branch: str

    def tag(self, role: str) -> str:
        """The tag of a role in this scope."""
        return f"{role}:{self.taxis}:{self.branch}"


class Rival(NamedTuple):
    """The champion to beat: its run, and its model or why it cannot be compared."""

    pathspec: str
    model: Any | None
    problem: str | None


class Decision(TypedDict):
    """Whether a model is promoted, and a sentence for each thing that speaks for or against it."""

    promoted: bool
    reasons: list[str]


def scope(cab: str, branch: str, *, made_up: bool) -> Scope:
    """The scope of some taxis' model; one that learned from made-up trips is no model of theirs."""
    return Scope(f"made-up-{cab}" if made_up else cab, branch)


def own_branch(branch: str, *, namespace: str, user: str) -> str:
    """The project branch that a run belongs to.

    `run --production` on somebody's machine is that person's run: only a deployment's runs stand in
    a production namespace.
    """
    if branch.split(".")[0] == PRODUCTION and not namespace.startswith("production:"):
        return f"user.{user}"
    return branch


def trusted_branches(branch: str) -> list[str]:
    """The branches whose champions a run may predict with: its own, then production's."""
    return list(dict.fromkeys([branch, PRODUCTION]))


def decide(
    leads: Sequence[Lead],
    *,
    champion_problem: str | None,
    rows: int,
    days: int,
    rules: dict[str, Any],
) -> Decision:
    """Judge a challenger.

    Args:
        leads: over every baseline, and over the champion if there is one.
        champion_problem: why the champion cannot be compared on these trips, if it cannot.
        rows, days: of the held-out trips.
        rules: min_rows, min_days, confidence.
    """
    against = []
    if rows < rules["min_rows"]:
        against.append(f"{rows:,} held-out trips are fewer than {rules['min_rows']:,}")
    if days < rules["min_days"]:
        against.append(f"its held-out trips are of {days} days, fewer than {rules['min_days']}")
    if champion_problem:
        against.append(champion_problem)
    against += [_sentence(each, "does not surely beat") for each in leads if not each["low"] > 0]
    won = [_sentence(each, "beats") for each in leads if each["low"] > 0]
    return Decision(promoted=not against, reasons=[*against, *won])


def overtaken(decision: Decision, newer: str) -> Decision:
    """The decision of a run when a newer month's (pathspec) was promoted before it."""
    why = f"{newer} was promoted meanwhile, and tested on later trips"
    return Decision(promoted=False, reasons=[why, *decision["reasons"]])


def promoted_tags(where: Scope, at: datetime) -> set[str]:
    """The tags of a run that is promoted at that time."""
    tag = where.tag(CHAMPION)
    return {tag, f"{tag}:{at.astimezone(UTC).strftime(_TIME)}"}


def champion_tags(where: Scope, tags: Iterable[str]) -> set[str]:
    """Those of a run's tags by which it is, or was, the champion."""
    tag = where.tag(CHAMPION)
    return {each for each in tags if each == tag or each.startswith(f"{tag}:")}


def promoted_at(where: Scope, tags: Iterable[str]) -> datetime | None:
    """When a run with these tags was last promoted; None if it was not."""
    begin = f"{where.tag(CHAMPION)}:"
    times = [_parsed(tag.removeprefix(begin)) for tag in tags if tag.startswith(begin)]
    return max((each for each in times if each is not None), default=None)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None  # a tag that somebody else wrote


def _sentence(each: Lead, verb: str) -> str:
    return (
        f"{verb} {each['rival']} (RMSE {each['rmse']:.2f} min): better by {each['lead']:+.3f} min, "
        f"{each['low']:+.3f} to {each['high']:+.3f}"
    )
