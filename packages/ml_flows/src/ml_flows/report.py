"""What the last training and prediction came to: python -m ml_flows.report [--json]."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from ml_flows.errors import InputError

TRAIN, PREDICT = "TrainTripDurationFlow", "PredictTripDurationFlow"
_PROJECT, _PRODUCTION = "project:trip_duration", "project_branch:prod"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; exit code 1 and a message when a run is missing."""
    parser = argparse.ArgumentParser(prog="python -m ml_flows.report", description=__doc__)
    parser.add_argument("--json", action="store_true", help="as one line of JSON")
    parser.add_argument("--train-run", metavar="ID", help=f"run id of {TRAIN}; default: the latest")
    parser.add_argument("--predict-run", metavar="ID", help=f"of {PREDICT}; default: the latest")
    parser.add_argument(
        "--namespace",
        default="production",
        help="where to look for the latest successful runs: production (the project's production "
        "branch, whatever its token; the default), user:<name>, production:<token>",
    )
    given = parser.parse_args(arguments)
    try:
        found = report(given.train_run, given.predict_run, namespace=given.namespace)
    except InputError as error:
        print(f"InputError: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found) if given.json else text(found))
    return 0


def report(
    train_run: str | None = None, predict_run: str | None = None, *, namespace: str = "production"
) -> dict[str, dict[str, Any]]:
    """Figures of two runs, as JSON has them; durations in minutes.

    Args:
        train_run, predict_run: run ids; without one the latest successful run in namespace.

    Raises:
        InputError: no such run, or not a successful one.
    """
    return {
        "train": _train(_find(TRAIN, train_run, namespace)),
        "predict": _predict(_find(PREDICT, predict_run, namespace)),
    }


def text(found: dict[str, dict[str, Any]]) -> str:
    """The report for people."""
    train, predict = found["train"], found["predict"]
    concept = predict["concept_drift"]
    lines = [
        f"{train['run']}",
        f"  RMSE {train['rmse']:.2f} min, MAE {train['mae']:.2f} min "
        f"({train['rows_train']:,} trips to learn from, {train['rows_test']:,} to test on)",
        f"  linear baseline: RMSE {train['baseline_rmse']:.2f}, MAE {train['baseline_mae']:.2f}; "
        f"{train['improvement_percent']:.1f} % better",
        f"  median of zone pair and hour: RMSE {train['rule_rmse']:.2f}",
        *_honest(train),
        f"  {train['coverage']:.1%} of the trips in the interval for 80 %",
        f"  {'promoted' if train['decision']['promoted'] else 'held back'}: "
        f"{'; '.join(train['decision']['reasons'])}",
        f"{predict['run']} with the model of {predict['training_run']}",
        f"  {predict['rows']:,} predictions: {predict['uri']}",
        *(
            f"  data drift of {name}: PSI {each['psi']:.3f} ({each['psi_noise']:.3f} by chance), "
            f"{each['level']}"
            for name, each in predict["drift"].items()
        ),
        f"  concept drift: RMSE {concept['rmse']:.2f} min, in training "
        f"{concept['reference_rmse']:.2f}, {concept['level']}",
        f"cards: {train['card']}, {predict['card']}",
    ]
    return "\n".join(lines)


def _honest(train: dict[str, Any]) -> list[str]:
    if not train["honest_rmse"]:
        return []
    return [f"  on all {train['honest_rows']:,} trips of up to 3 hours: {train['honest_rmse']:.2f}"]


def _train(run: Any) -> dict[str, Any]:
    metrics = run.data.metrics
    return {
        "run": run.pathspec,
        **metrics,
        "decision": run.data.decision,
        "card": run["evaluate"].task.pathspec,
    }


def _predict(run: Any) -> dict[str, Any]:
    data = run.data
    return {
        "run": run.pathspec,
        "rows": data.predictions["rows"],
        "uri": data.predictions["uri"],
        "branch": data.predictions["branch"],
        "time_order": data.predictions["time_order"],
        "made_up": data.predictions["made_up"],
        "coverage": data.coverage["coverage"],
        "drift": data.drift,
        "concept_drift": data.concept_drift,
        "training_run": data.training,
        "card": run["compare"].task.pathspec,
    }


def _find(flow: str, run_id: str | None, where: str) -> Any:
    import metaflow
    from metaflow.exception import MetaflowNamespaceMismatch, MetaflowNotFound

    if run_id:
        metaflow.namespace(None)
        pathspec = f"{flow}/{run_id.removeprefix(f'{flow}/')}"
        try:
            run = metaflow.Run(pathspec)
        except MetaflowNotFound as error:
            raise InputError(f"There is no run {pathspec}.") from error
        if not run.successful:
            raise InputError(f"Run {pathspec} has not ended successfully.")
        return run
    # Production has a token of its own in its namespace's name; the branch says it without one.
    metaflow.namespace(None if where == "production" else where)
    tags = [_PROJECT, *([_PRODUCTION] if where == "production" else [])]
    try:
        for run in metaflow.Flow(flow).runs(*tags):
            if run.successful:
                return run
    except (MetaflowNotFound, MetaflowNamespaceMismatch):
        pass
    raise InputError(
        f"There is no successful run of {flow} in namespace {where!r}. Run the flow, or give "
        "--namespace or a run id."
    )


if __name__ == "__main__":
    sys.exit(main())
