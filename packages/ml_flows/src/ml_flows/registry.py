"""Champions and what training runs left behind, through the Metaflow client."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ml_flows import contract, promotion, split
from ml_flows.contract import Manifest
from ml_flows.errors import InputError
from ml_flows.promotion import CHALLENGER, DEMOTED, PRODUCTION, Rival, Scope
from ml_flows.split import Split

FLOW = "TrainTripDurationFlow"
MODELS = "uv run --package ml-flows python -m ml_flows.models"
_TRAIN = "uv run --package ml-flows python packages/ml_flows/src/ml_flows/train_trip_duration.py"


class Champion(NamedTuple):
    """A promoted run: pathspec, where it is champion, and since when."""

    pathspec: str
    where: Scope
    since: datetime


@contextmanager
def everywhere() -> Iterator[None]:
    """Look at runs of all namespaces: production has a token of its own in its namespace's name,
    and a champion's tag says whose it is."""
    import metaflow

    before = metaflow.get_namespace()
    metaflow.namespace(None)
    try:
        yield
    finally:
        metaflow.namespace(before)


def champions(where: Scope) -> list[Champion]:
    """All promoted runs of a scope that ended well and were not demoted, the present one first."""
    from metaflow import Flow
    from metaflow.exception import MetaflowNotFound

    found = []
    with everywhere():
        try:
            runs = list(Flow(FLOW).runs(where.tag(promotion.CHAMPION)))
        except MetaflowNotFound:
            runs = []
        for run in runs:
            since = promotion.promoted_at(where, run.user_tags)
            if since is not None and run.successful:
                found.append(Champion(str(run.pathspec), where, since))
    return sorted(found, key=lambda each: each.since, reverse=True)


def champion(where: Scope) -> Champion | None:
    """The present champion of a scope."""
    return next(iter(champions(where)), None)


def rival(where: Scope, tested: Split) -> Rival | None:
    """The present champion as a rival on the trips of a split; None if there is none."""
    found = champion(where)
    if found is None:
        return None
    name = found.pathspec
    try:
        learned = split.learned_until(artifact(name, "split"))
        rival_model = artifact(name, "model")
    except InputError as error:
        return Rival(name, None, f"the champion cannot be asked: {error}")
    if learned > split.tested_from(tested):
        return Rival(
            name,
            None,
            f"the champion {name} learned from trips until {learned:%Y-%m-%d}, so that it cannot "
            f"be compared on {split.test_period(tested)}: test on later trips",
        )
    return Rival(name, rival_model, None)


def to_predict_with(cab: str, branch: str, *, made_up: bool) -> Champion:
    """The champion of the own branch, else of production.

    Raises:
        InputError: there is none; the text says how to promote one.
    """
    for each in promotion.trusted_branches(branch):
        if found := champion(promotion.scope(cab, each, made_up=made_up)):
            return found
    where = promotion.scope(cab, branch, made_up=made_up)
    looked = " or ".join(promotion.trusted_branches(branch))
    raise InputError(
        f"No model of {where.taxis} taxis is promoted in branch {looked}. "
        f"{_candidates(where)}Train one that beats its baselines: {_training(cab, branch)}"
    )


def named(run_id: str, cab: str, *, made_up: bool, branch: str) -> str:
    """The training run of this id (or pathspec), if it can predict for these taxis.

    Args:
        branch: of who asks; production takes no run of somebody else's branch.

    Returns:
        its pathspec, FLOW/<run id>.

    Raises:
        InputError: it is not there, has not succeeded, has learned from other taxis or made-up
            trips, or is not production's though production asks.
    """
    run = finished(run_id, "training_run")
    with everywhere():
        learned, months = run.data.cab, split.made_up(run.data.split)
    owner = artifact(str(run.pathspec), "scope").branch
    trusted = promotion.promoted_at(
        promotion.scope(cab, PRODUCTION, made_up=made_up), run.user_tags
    )
    if branch == PRODUCTION != owner and not trusted:
        raise InputError(
            f"training_run: {run.pathspec} is of branch {owner}; production predicts with runs of "
            f"production. Promote it first: {MODELS} promote {run.pathspec} --branch {PRODUCTION}"
        )
    if learned != cab:
        raise InputError(
            f"training_run: {run.pathspec} learned from {learned} taxis, asked are {cab} ones."
        )
    if months and not made_up:
        raise InputError(
            f"training_run: {run.pathspec} learned from made-up trips ({', '.join(months)}); it "
            "says nothing about the real ones of this month. Take another one."
        )
    return str(run.pathspec)


def finished(run_id: str, what: str) -> Any:
    """The training run of an id or pathspec, if it ended well.

    Raises:
        InputError: it did not, or is not there; the text begins with what it is asked for.
    """
    from metaflow import Run
    from metaflow.exception import MetaflowInvalidPathspec, MetaflowNotFound

    pathspec = f"{FLOW}/{run_id.strip().removeprefix(f'{FLOW}/')}"
    with everywhere():
        try:
            run = Run(pathspec)
            successful = run.successful
        except (MetaflowNotFound, MetaflowInvalidPathspec) as error:
            raise InputError(
                f"{what}: there is no run {pathspec}. List promoted ones: {MODELS} list"
            ) from error
    if not successful:
        raise InputError(f"{what}: {pathspec} has not ended successfully. Take another one.")
    return run


def overtaken(where: Scope, tested: Split, before: str) -> str:
    """The champion that was promoted meanwhile and tested on later trips; "" if there is none.

    Of trainings that go on side by side, one for each month, the newest month's counts.

    Args:
        before: the champion (pathspec) that this training was compared with, "" for none.
    """
    found = champion(where)
    if found is None or found.pathspec == before:
        return ""
    since = split.tested_from(artifact(found.pathspec, "split"))
    return found.pathspec if since > split.tested_from(tested) else ""


def promote(pathspec: str, where: Scope) -> None:
    """Make a run the champion of a scope."""
    tags = promotion.promoted_tags(where, datetime.now(UTC))
    _retag(pathspec, add=tags, remove={where.tag(CHALLENGER), where.tag(DEMOTED)})


def hold_back(pathspec: str, where: Scope) -> None:
    """Mark a run as a challenger that did not win."""
    _retag(pathspec, add={where.tag(CHALLENGER)}, remove=set())


def demote(found: Champion) -> None:
    """Take a champion's claim away; the one before it is the champion again."""
    with everywhere():
        tags = promotion.champion_tags(found.where, _run(found.pathspec).user_tags)
    _retag(found.pathspec, add={found.where.tag(DEMOTED)}, remove=tags)


def say_features(pathspec: str, manifests: Iterable[Manifest]) -> None:
    """Let a run's tags say which features it reads."""
    _retag(pathspec, add=contract.tags(manifests), remove=set())


def _retag(pathspec: str, *, add: set[str], remove: set[str]) -> None:
    """Change a run's tags in one write, and look whether another writer undid it."""
    with everywhere():
        run = _run(pathspec)
        run.replace_tags(sorted(remove & set(run.user_tags)), sorted(add))
        tags = set(_run(pathspec).user_tags)
    if not add <= tags or remove & tags:
        raise RuntimeError(
            f"The tags of {pathspec} are {', '.join(sorted(tags))}: another writer changed them at "
            f"the same time, {', '.join(sorted(add))} is lost. Try again."
        )


def _run(pathspec: str) -> Any:
    from metaflow import Run

    return Run(pathspec)


def _candidates(where: Scope) -> str:
    """The command that promotes the newest challenger of a branch, else what was demoted there."""
    from metaflow import Flow
    from metaflow.exception import MetaflowNotFound

    for role, what in ((CHALLENGER, "held back"), (DEMOTED, "demoted")):
        with everywhere():
            try:
                runs = [run for run in Flow(FLOW).runs(where.tag(role)) if run.successful]
            except MetaflowNotFound:
                return ""
            # Their order is that of their last change, which may be a tag's.
            found = max(runs, key=lambda run: run.finished_at, default=None)
        if found is not None:
            return (
                f"{found.pathspec} was {what}; promote it all the same: "
                f"{MODELS} promote {found.pathspec} --anyway. "
            )
    return ""


def _training(cab: str, branch: str) -> str:
    options = {"prod": "--production ", "user": ""}
    kind, _, name = branch.partition(".")
    return f"{_TRAIN} {options.get(kind, f'--branch {name} ')}run --cab {cab}; or trigger its DAG."


def predictor(run: str) -> Callable[[Any], Any]:
    """What predicts with a run's model: trips in, (trips,) minutes out."""
    from ml_flows import model

    trained = artifact(run, "model")
    return lambda trips: model.predict(trained, trips)


def artifact(run: str, name: str) -> Any:
    """An artifact of a run (pathspec).

    Raises:
        InputError: the run has no such artifact, or it was made by another scikit-learn.
    """
    with warnings.catch_warnings(record=True) as caught, everywhere():
        warnings.simplefilter("always")
        try:
            value = getattr(_run(run).data, name)
        except (AttributeError, ModuleNotFoundError) as error:
            raise InputError(
                f"{run} has no artifact {name!r} that this version can read ({error}): another "
                "version of the flow made it. Train again."
            ) from error
    for warning in caught:
        # By its name: to import scikit-learn takes seconds, and most artifacts do not need it.
        if type(warning.message).__name__ == "InconsistentVersionWarning":
            raise InputError(
                f"Artifact {name!r} of {run} was made by another scikit-learn: {warning.message} "
                "Train again, or install that version."
            )
    return value
