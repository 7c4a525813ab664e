"""What the events of a flow's own assets carry."""

from typing import Any

import pytest
from metaflow_airflow.asset_extras import MOST, extras

URI = "s3://lake/predictions"


def test_an_artifact_is_what_the_event_carries_and_without_one_it_is_the_run_alone():
    assets: list[dict[str, Any]] = [
        {"uri": f"{URI}/", "extra": "made"},
        {"uri": "s3://lake/logs", "extra": None},
    ]
    assert extras(assets, {"made": {"version": 7}}) == ({URI: {"version": 7}}, [])


@pytest.mark.parametrize(
    ("artifacts", "why"),
    [
        ({}, "the last step has no artifact *made*"),
        ({"made": [7]}, "artifact *made* is no dictionary"),
        ({"made": {"at": {1}}}, "artifact *made* is no JSON (Object of type set"),
        ({"made": {"at": float("nan")}}, "artifact *made* is no JSON (Out of range float"),
        ({"made": {"text": "x" * MOST}}, "artifact *made* is too large for an event (at most 2048"),
    ],
)
def test_what_no_event_can_carry_is_said_and_fails_nothing(artifacts, why):
    found, [problem] = extras([{"uri": URI, "extra": "made"}], artifacts)
    assert found == {}
    assert problem.startswith(f"The event of asset {URI} tells of the run alone: {why}")
