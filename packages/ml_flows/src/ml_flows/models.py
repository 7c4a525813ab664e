"""Champions of trip duration: python -m ml_flows.models list, promote, demote, rollback."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from ml_flows import contract, promotion, registry, split
from ml_flows.errors import InputError
from ml_flows.promotion import PRODUCTION, Scope
from ml_flows.registry import Champion

_PROJECT_BRANCH = "project_branch:"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; exit code 1 and a message when it cannot be done."""
    given = _parser().parse_args(arguments)
    try:
        given.do(given)
    except InputError as error:
        print(f"InputError: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml_flows.models", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, do: Any, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(do=do)
        return made

    listed = verb("list", _list, "Show the champion and those before it, the present one first.")
    listed.add_argument("--json", action="store_true", help="as one line of JSON")
    _scoped(listed)
    promoted = verb("promote", _promote, "Make a training run the champion.")
    promoted.add_argument("run", help=f"its id, or {registry.FLOW}/<id>")
    promoted.add_argument("--branch", help="project branch; default: the run's own")
    promoted.add_argument(
        "--anyway",
        action="store_true",
        help="although it did not win, or into production though it is no production run",
    )
    demoted = verb("demote", _demote, "Take a run's promotions away; the one before takes over.")
    demoted.add_argument("run", help=f"its id, or {registry.FLOW}/<id>")
    _scoped(demoted)
    back = verb("rollback", _rollback, "Demote the present champion in favour of the one before.")
    _scoped(back)
    return parser


def _scoped(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cab", default="green", choices=contract.CABS)
    parser.add_argument("--made-up", action="store_true", help="models of made-up trips")
    parser.add_argument(
        "--branch",
        default=PRODUCTION,
        help="project branch: prod (the default), user.<name>, test.<name>; mine: your own",
    )


def _scope(given: argparse.Namespace) -> Scope:
    user = os.environ.get("METAFLOW_USER") or getpass.getuser()
    branch = f"user.{user}" if given.branch == "mine" else given.branch
    return promotion.scope(given.cab, branch, made_up=given.made_up)


def _list(given: argparse.Namespace) -> None:
    where = _scope(given)
    found = registry.champions(where)
    if given.json:
        print(json.dumps([{"run": e.pathspec, "since": e.since.isoformat()} for e in found]))
        return
    if not found:
        print(f"No model of {where.taxis} taxis is promoted in branch {where.branch}.")
    for place, each in enumerate(found):
        role = "champion" if place == 0 else "before it"
        print(f"{role:9}  {each.since:%Y-%m-%d %H:%M:%S} UTC  {each.pathspec}")


def _promote(given: argparse.Namespace) -> None:
    run = registry.finished(given.run, "promote")
    pathspec = str(run.pathspec)
    own = next(
        (t.removeprefix(_PROJECT_BRANCH) for t in run.system_tags if t.startswith(_PROJECT_BRANCH)),
        PRODUCTION,
    )
    deployed = any(tag.startswith("production:") for tag in run.system_tags)
    if not deployed and own.split(".")[0] == PRODUCTION:
        own = registry.artifact(pathspec, "scope").branch
    branch = given.branch or own
    against = []
    if branch == PRODUCTION and not deployed:
        against.append("it is no run of a production deployment")
    decision = registry.artifact(pathspec, "decision")
    if not decision["promoted"]:
        against += decision["reasons"]
    if against and not given.anyway:
        raise InputError(
            f"{pathspec} is not promoted in branch {branch}: {'; '.join(against)}. "
            "Promote it all the same: add --anyway."
        )
    with registry.everywhere():
        where = promotion.scope(run.data.cab, branch, made_up=bool(split.made_up(run.data.split)))
    registry.promote(pathspec, where)
    print(f"{pathspec} is the champion of {where.taxis} taxis in branch {branch}.")


def _demote(given: argparse.Namespace) -> None:
    run = registry.finished(given.run, "demote")
    where = _scope(given)
    found = registry.champions(where)
    chosen = next((each for each in found if each.pathspec == run.pathspec), None)
    if chosen is None:
        raise InputError(
            f"{run.pathspec} is not promoted for {where.taxis} taxis in branch {where.branch}. "
            f"What is: {registry.MODELS} list --cab {given.cab} --branch {where.branch}"
        )
    registry.demote(chosen)
    _say_after(chosen, [each for each in found if each is not chosen])


def _rollback(given: argparse.Namespace) -> None:
    where = _scope(given)
    found = registry.champions(where)
    if len(found) < 2:
        raise InputError(
            f"There is no earlier champion of {where.taxis} taxis in branch {where.branch} to go "
            f"back to ({len(found)} promoted)."
        )
    registry.demote(found[0])
    _say_after(found[0], found[1:])


def _say_after(gone: Champion, left: list[Champion]) -> None:
    where = f"{gone.where.taxis} taxis in branch {gone.where.branch}"
    now = f"champion of {where} is {left[0].pathspec}" if left else f"{where} have no champion"
    print(f"{gone.pathspec} is demoted; {now}. Published predictions stay until the next run.")


if __name__ == "__main__":
    sys.exit(main())
