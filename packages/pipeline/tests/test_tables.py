from datetime import UTC, datetime

import pytest
from pipeline.flows import DATA_DAG, PREDICT, TRAIN
from pipeline.options import Options, month_before
from pipeline.outcome import Outcome, Run, seconds_by_stage
from pipeline.tables import outcome_tables, status_table
from rich.console import Console, RenderableType


def rendered(table: RenderableType, width: int = 160) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return [" ".join(line.replace("│", " ").split()) for line in capture.get().splitlines()]


def run(dag_id: str, started: int, ended: int) -> Run:
    first, last = (datetime(2026, 11, 23, 12, 0, s, tzinfo=UTC) for s in (started, ended))
    return Run(dag_id, "r", "success", first, last)


RUNS = {
    DATA_DAG: run(DATA_DAG, 0, 50),
    TRAIN.dag_id: run(TRAIN.dag_id, 12, 30),
    PREDICT.dag_id: run(PREDICT.dag_id, 32, 45),
}


@pytest.fixture
def outcome() -> Outcome:
    dataset = {
        "cab": "green", "source": "path", "rows_read": 64215, "rows_kept": 58755,
        "set_aside": {"odd": 1, "too_long": 344, "other_month": 4},
        "noted": {"null_passenger_count": 4412},
    }  # fmt: skip
    return Outcome(
        options=Options(),
        features=[
            {**dataset, "month": "2023-12", "uri": "s3://trip-data/a"},
            {**dataset, "month": "2024-01", "uri": "s3://trip-data/b", "set_aside": {}},
        ],
        report={
            "train": {
                "run": "Train/1", "rmse": 5.346, "mae": 3.58, "baseline_rmse": 7.01,
                "baseline_mae": 4.9, "card": "Train/1/evaluate/t",
                "rule_rmse": 6.25, "honest_rmse": None, "coverage": 0.8126,
                "decision": {"promoted": False, "reasons": ["40 trips are too few", "more"]},
            },
            "predict": {
                "run": "Predict/2", "rows": 52256, "uri": "s3://trip-data/p",
                "drift": {
                    "hour": {"psi": 0.0056551, "level": "stable", "ks": 0.019, "unseen": 7.27e-05},
                    "zone": {"psi": 0.25, "level": "large"},
                },
                "concept_drift": {
                    "reference_rmse": 5.857, "rmse": 5.346, "rmse_ratio": 0.9128,
                    "level": "stable",
                },
                "card": "Predict/2/compare/t",
            },
        },
        runs=RUNS,
        seconds={"bring the stack up": 10.0, "train": 18.0},
    )  # fmt: skip


def test_the_tables_show_rows_by_reason_in_the_contracts_order(outcome: Outcome) -> None:
    lines = rendered(outcome_tables(outcome))

    first = lines.index("source path path")
    assert lines[first : first + 7] == [
        "source path path",
        "read 64,215 64,215",
        "kept 58,755 58,755",
        "set aside: other_month 4 0",
        "set aside: too_long 344 0",
        "set aside: odd 1 0",
        "noted: null_passenger_count 4,412 4,412",
    ]
    assert {"s3://trip-data/a", "s3://trip-data/b"} <= set(lines)


def test_made_up_trips_are_called_so(outcome: Outcome) -> None:
    assert "Features of green trips" in rendered(outcome_tables(outcome))

    for dataset in outcome.features:
        dataset["source"] = "generator"

    assert "Features of made-up green trips" in rendered(outcome_tables(outcome))


def test_24_months_fit_into_80_columns(outcome: Outcome) -> None:
    months = [f"{year}-{month:02}" for year in (2023, 2024) for month in range(1, 13)]
    first = {
        **outcome.features[0], "set_aside": {"too_long": 3, "non_positive_duration": 4},
        "rows_read": 3_123_456, "rows_kept": 2_987_654,
    }  # fmt: skip
    folder = "s3://trip-data/features/green"
    outcome.features = [
        {**first, "month": month, "uri": f"{folder}/{month}/version/features.parquet"}
        for month in months
    ]
    lines = rendered(outcome_tables(outcome), width=80)

    for month in months:
        assert f"{month} path 3,123,456 2,987,654 4.3% non_positive_duration" in lines
    assert folder in lines


def test_the_tables_show_the_model_beside_the_baseline(outcome: Outcome) -> None:
    lines = rendered(outcome_tables(outcome))

    assert "RMSE 5.35 7.01 24%" in lines
    assert "MAE 3.58 4.90 27%" in lines
    assert "best simple rule (zone pair at this hour): RMSE 6.25" in lines
    assert not any("all trips" in line for line in lines)
    assert "81.3% of the trips in the interval that is to hold 80 %" in lines
    assert "held back: 40 trips are too few" in lines
    assert "Train/1" in lines


def test_the_tables_show_predictions_and_drift(outcome: Outcome) -> None:
    lines = rendered(outcome_tables(outcome))

    assert "predictions written 52,256" in lines
    assert "RMSE, minutes 5.86 5.35" in lines
    assert "RMSE ratio 0.913" in lines
    assert "┃ feature ┃ PSI ┃ level ┃ unseen ┃ KS ┃" in lines
    assert "hour 0.006 stable 0.01% 0.019" in lines
    assert "zone 0.250 large" in lines
    assert "s3://trip-data/p" in lines


def test_the_tables_show_seconds_and_their_sum(outcome: Outcome) -> None:
    lines = rendered(outcome_tables(outcome))

    assert {"bring the stack up 10.0", "train 18.0", "together 28.0"} <= set(lines)


def test_publishing_ends_when_the_first_flow_starts() -> None:
    found = seconds_by_stage(RUNS, {"read the results": 1.0, "Airflow loads the DAGs": 2.0})

    assert found == {
        "Airflow loads the DAGs": 2.0,
        "publish the features": 12.0,
        "train": 18.0,
        "predict": 13.0,
        "read the results": 1.0,
    }


def test_the_months_before_have_a_line_of_their_own() -> None:
    before = [run(TRAIN.dag_id, 5, 20), run(PREDICT.dag_id, 20, 30)]

    found = seconds_by_stage(RUNS, {"read the results": 1.0}, before)

    assert found["publish the features"] == 5.0
    assert found["the months before"] == 7.0


def test_the_status_names_each_server_with_its_state() -> None:
    lines = rendered(
        status_table(
            {
                "state": "/state",
                "phase": "degraded",
                "servers": {
                    "s3": {"state": "crashed", "pid": None, "url": "http://127.0.0.1:1"},
                    "scheduler": {"state": "ready", "pid": 7},
                },
            }
        )
    )

    assert "/state: degraded" in lines
    assert "s3 crashed - http://127.0.0.1:1" in lines
    assert "scheduler ready 7 -" in lines


@pytest.mark.parametrize(("month", "before"), [("2024-01", "2023-12"), ("2024-10", "2024-09")])
def test_the_month_before(month: str, before: str) -> None:
    assert month_before(month) == before


def test_the_run_is_told_what_was_asked_and_leaves_the_rest_to_the_dag() -> None:
    plain = Options().conf()
    asked = Options(
        cab="yellow", month="2024-03", train_months=("2024-01",), source="generator", rows=9,
        seed=3, chain=True,
    ).conf()  # fmt: skip

    assert plain == {
        "cab": "green",
        "month": "2024-01",
        "train_months": ["2023-12"],
        "run_flows": False,
        "train_dag_id": TRAIN.dag_id,
        "predict_dag_id": PREDICT.dag_id,
    }
    assert asked == plain | {
        "cab": "yellow",
        "month": "2024-03",
        "train_months": ["2024-01"],
        "run_flows": True,
        "source": "generator",
        "rows": 9,
        "seed": 3,
    }
