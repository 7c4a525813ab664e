"""The months that a run is for where events start it."""

from types import SimpleNamespace
from typing import Any

import pytest
from ml_flows import dataset, promotion, registry, split, wanted
from ml_flows.errors import InputError
from ml_flows.promotion import Scope
from ml_flows.wanted import Wanted

ASKED = Wanted("s3://data/features", "green", "2024-01")


def test_unless_told_otherwise_it_learns_from_the_month_before_and_of_the_first_from_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = {month: {"month": month} for month in ("2023-12", "2024-01")}
    for name in ("find", "resolve"):
        monkeypatch.setattr(dataset, name, lambda root, cab, month: published.get(month))

    def planned(month: str) -> tuple[list[str], str]:
        plan = dataset.plan_split("s3://data/features", "green", "", month, validation_days=7)
        return split.trained_months(plan), split.test_period(plan)

    assert planned("2024-01") == (["2023-12"], "2024-01")
    assert planned("2023-12") == (["2023-12"], "2023-12 from 2023-12-25")
    with pytest.raises(InputError, match="train_months is empty"):
        planned("")
    with pytest.raises(InputError, match="test_month: '2024' is no month"):
        planned("2024")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Artifacts of every training."""
    artifacts = {
        "features_root": "s3://data/made-up/features",
        "split": {"cab": "yellow", "train": [{"month": "2024-02"}], "test": {"month": "2024-03"}},
    }
    monkeypatch.setattr(registry, "artifact", lambda run, name: artifacts[name])
    return artifacts


def test_a_training_that_ended_has_its_newest_month_predicted(trained: dict[str, Any]) -> None:
    ended = SimpleNamespace(run=SimpleNamespace(pathspec="TrainTripDurationFlow/7"))
    found = Wanted("s3://data/made-up/features", "yellow", "2024-03")
    assert wanted.wanted(ended, ASKED) == found
    trained["split"]["test"] = None
    assert wanted.wanted(ended, ASKED) == found._replace(month="2024-02")


@pytest.mark.parametrize("trigger", [None, SimpleNamespace(run=None)])
def test_whatever_else_starts_a_run_its_parameters_count(trigger: Any) -> None:
    assert wanted.wanted(trigger, ASKED) == ASKED


@pytest.mark.parametrize(
    ("before", "month", "newer"),
    [
        ("", "2024-02", ""),
        ("Train/1", "2024-03", ""),
        ("Train/1", "2024-02", "Train/2"),
        ("Train/2", "2024-02", ""),
    ],
)
def test_of_trainings_side_by_side_the_newest_months_is_the_champion(
    trained: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    month: str,
    newer: str,
) -> None:
    champion = SimpleNamespace(pathspec="Train/2") if before else None
    monkeypatch.setattr(registry, "champion", lambda where: champion)
    trained["split"]["held_out_from"] = None
    ours: Any = {"train": [], "test": {"month": month}, "held_out_from": None}
    assert registry.overtaken(Scope("green", "prod"), ours, before) == newer


def test_a_run_that_was_overtaken_says_so_first() -> None:
    won = promotion.Decision(promoted=True, reasons=["beats the rule"])
    assert promotion.overtaken(won, "Train/2") == {
        "promoted": False,
        "reasons": ["Train/2 was promoted meanwhile, and tested on later trips", "beats the rule"],
    }
