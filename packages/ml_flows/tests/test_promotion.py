"""When a model is promoted, what its tags say, and how candidates are drawn. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_flows import evaluation, promotion, search, settings
from ml_flows.errors import InputError
from ml_flows.evaluation import Lead

RULES = settings.PROMOTION
GREEN = promotion.scope("green", "prod", made_up=False)


def _lead(rival: str, lead: float, low: float) -> Lead:
    return Lead(rival=rival, rmse=6.0, lead=lead, low=low, high=2 * lead - low)


def _decide(*leads: Lead, **changes: Any) -> promotion.Decision:
    given = {"champion_problem": None, "rows": 5000, "days": 28, "rules": RULES} | changes
    return promotion.decide(leads, **given)


def test_who_surely_beats_every_rival_is_promoted_and_it_says_by_how_much() -> None:
    found = _decide(_lead("mean", 3.0, 2.9), _lead("the champion T/1", 0.1, 0.02))
    assert found["promoted"]
    assert (
        "beats the champion T/1 (RMSE 6.00 min): better by +0.100 min, +0.020 to +0.180"
        in (found["reasons"])
    )


@pytest.mark.parametrize(
    ("leads", "changes", "said"),
    [
        ([_lead("mean", -0.2, -0.4)], {}, "does not surely beat mean"),
        ([_lead("the champion T/1", 0.1, -0.02)], {}, "does not surely beat the champion T/1"),
        ([_lead("the champion T/1", 0.0, 0.0)], {}, "does not surely beat the champion T/1"),
        ([_lead("mean", 3.0, 2.9)], {"rows": 40}, "40 held-out trips are fewer than 1,000"),
        ([_lead("mean", 3.0, 2.9)], {"days": 2}, "of 2 days, fewer than 7"),
        ([_lead("mean", 3.0, 2.9)], {"champion_problem": "it has seen them"}, "it has seen them"),
    ],
)
def test_a_doubt_holds_a_model_back_and_is_named(
    leads: list[Lead], changes: dict[str, Any], said: str
) -> None:
    found = _decide(*leads, **changes)
    assert not found["promoted"]
    assert said in found["reasons"][0]


def test_the_lead_over_a_rival_is_the_difference_of_the_rmse_within_its_interval() -> None:
    random = np.random.default_rng(0)
    days = np.repeat(np.arange(28), 50)
    actual = random.uniform(5, 50, len(days))
    ours, theirs = (actual + random.normal(0, spread, len(days)) for spread in (4.0, 5.0))
    found = evaluation.lead("x", days, actual, ours, theirs, confidence=0.95)
    rmse = [evaluation.errors(actual, each)["rmse"] for each in (ours, theirs)]
    assert found["lead"] == pytest.approx(rmse[1] - rmse[0])
    assert found["rmse"] == pytest.approx(rmse[1])
    assert 0 < found["low"] < found["lead"] < found["high"]
    same = evaluation.lead("x", days, actual, ours, ours, confidence=0.95)
    assert (same["low"], same["lead"], same["high"]) == (0, 0, 0)


def test_the_latest_promotion_of_a_run_counts_and_other_tags_do_not() -> None:
    first = datetime(2026, 11, 1, 12, tzinfo=UTC)
    tags = promotion.promoted_tags(GREEN, first)
    tags |= promotion.promoted_tags(GREEN, first + timedelta(days=1))
    others = {"mine", f"{GREEN.tag(promotion.CHAMPION)}:by hand", "champion:yellow:prod"}
    assert promotion.promoted_at(GREEN, tags | others) == first + timedelta(days=1)
    assert promotion.promoted_at(GREEN, others) is None
    assert "champion:yellow:prod" not in promotion.champion_tags(GREEN, tags | others)
    assert tags <= promotion.champion_tags(GREEN, tags)


@pytest.mark.parametrize(
    ("branch", "namespace", "own"),
    [
        ("prod", "production:token-1", "prod"),
        ("prod", "user:ann", "user.ann"),
        ("prod.x", "user:ann", "user.ann"),
        ("user.ann", "user:ann", "user.ann"),
        ("test.x", "user:ann", "test.x"),
    ],
)
def test_only_a_deployments_run_is_productions(branch: str, namespace: str, own: str) -> None:
    assert promotion.own_branch(branch, namespace=namespace, user="ann") == own


def test_predictions_trust_their_own_branch_and_production_alone() -> None:
    assert promotion.trusted_branches("prod") == ["prod"]
    assert promotion.trusted_branches("user.ann") == ["user.ann", "prod"]


def test_a_model_of_made_up_trips_is_no_champion_of_real_ones() -> None:
    assert promotion.scope("green", "prod", made_up=True).tag("champion") != GREEN.tag("champion")


def test_a_search_begins_with_the_first_values_and_stays_within_its_budget() -> None:
    space: dict[str, list[Any]] = {"max_leaf_nodes": [31, 63], "max_features": [1.0, 0.5]}
    found = search.candidates(space, 3, seed=1)
    assert found[0] == {"max_leaf_nodes": 31, "max_features": 1.0}
    assert len(found) == 3 == len({search.named(each) for each in found})
    assert found == search.candidates(space, 3, seed=1)
    assert len(search.candidates(space, 99, seed=1)) == 4


@pytest.mark.parametrize(
    ("space", "budget", "said"),
    [
        ({"max_leaf_nodes": []}, 1, "space.max_leaf_nodes must be a list"),
        ({"max_leaf_nodes": 31}, 1, "space.max_leaf_nodes must be a list"),
        ({"leaves": [31]}, 1, "'leaves'"),
        ({"max_leaf_nodes": [31]}, 0, "at least one must be tried"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(
    space: dict[str, Any], budget: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        search.candidates(space, budget, seed=0)


def test_a_config_is_its_defaults_but_for_what_is_given() -> None:
    found = settings.checked({"min_rows": 10}, RULES, "promotion")
    assert found == {**RULES, "min_rows": 10}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_row": 10}, "there is no 'min_row'. It has confidence, min_days, min_rows"),
        ({"min_rows": "many"}, "min_rows is 'many'"),
        ({"min_rows": -1}, "cannot be below 0"),
    ],
)
def test_a_config_with_a_mistake_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"Config promotion: .*{said}"):
        settings.checked(given, RULES, "promotion")


def _fitted(rmse: float) -> SimpleNamespace:
    return SimpleNamespace(fitted=SimpleNamespace(rmse=rmse))


def test_of_the_candidates_the_best_is_taken_and_a_failed_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = _fitted(5.2)
    failure = "Traceback (most recent call last):\n  File x\nValueError: max_features is 5.0\n"
    assert search.best([_fitted(5.4), best], [None, None, failure]) is best
    said = capsys.readouterr().out
    assert said == "a candidate failed and is left out: ValueError: max_features is 5.0\n"
    with pytest.raises(InputError, match=r"No candidate .* ValueError: max_features is 5\.0"):
        search.best([], [failure])
