"""Train a model of taxi trip duration, test it on later time, and promote it if it wins."""

import sys
from typing import Any

from metaflow import (
    Config,
    FlowSpec,
    Parameter,
    airflow_asset,
    card,
    catch,
    config_expr,
    current,
    environment,
    project,
    resources,
    retry,
    step,
    timeout,
    trigger,
)

from ml_flows.datastore import check_datastore
from ml_flows.settings import (
    BASE_MEMORY,
    CORES,
    FEATURES_ROOT,
    MODELS,
    PROMOTION,
    SEARCH,
    SIZE,
    THREADS,
    memory,
)

__all__ = ["memory"]  # what config_expr below calls


@airflow_asset(uri=MODELS, extra="trained")
@trigger(
    event={
        "name": FEATURES_ROOT,
        "parameters": ["cab", ("test_month", "month"), "features_root"],
    }
)
@project(name="trip_duration")
class TrainTripDurationFlow(FlowSpec):
    """Search a model of taxi trip duration, and promote it if it beats its baselines and the
    champion on time that none of them has seen. On Airflow each month of features that the data
    team publishes starts a run: it learns from the month before, and is tested on the new one.

    Its steps:

        start -> fit (each candidate) -> choose -> evaluate --> promote ---> end
                                                           `-> hold_back -'
    """

    size = Config("size", default_value=SIZE, help="Trips that the steps have memory for.")
    search = Config("search", default_value=SEARCH, help="What is tried, and its budget.")
    promotion = Config("promotion", default_value=PROMOTION, help="What a promotion takes.")

    cab = Parameter("cab", default="green", help="Whose trips: green or yellow.")
    train_months = Parameter(
        "train_months",
        default="",
        help="Months to learn from: YYYY-MM, comma separated. Empty: the month before test_month; "
        "where that is not published, test_month itself without its last 7 days.",
    )
    test_month = Parameter(
        "test_month",
        default="2024-01",
        help="Later month to test on, YYYY-MM. Empty: the last 7 days of the train months.",
    )
    features_root = Parameter(
        "features_root", default=FEATURES_ROOT, help="Where the data team publishes: s3://…"
    )
    max_rows = Parameter(
        "max_rows",
        default=500_000,
        help="Learn from, and test on, a random sample of at most so many trips; 0: all of them.",
    )
    seed = Parameter("seed", default=0, help="Of everything random: same seed, same model.")

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=5)
    @resources(cpu=CORES, memory=BASE_MEMORY)
    @step
    def start(self) -> None:
        """Pin one version of each month's dataset, and draw the candidates."""
        from ml_flows import dataset, registry, search, settings, split
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            settings.check_numbers(max_rows=self.max_rows, seed=self.seed)
            self.budget = settings.checked(self.search, SEARCH, "search")
            self.rules = settings.checked(self.promotion, PROMOTION, "promotion")
            self.split = dataset.plan_split(
                self.features_root,
                self.cab,
                self.train_months,
                self.test_month,
                validation_days=self.budget["validation_days"],
            )
            settings.check_size(dataset.most_rows(self.split, self.max_rows), self.size)
            self.candidates = search.candidates(
                self.budget["space"], self.budget["candidates"], seed=self.seed
            )
        registry.say_features(f"{current.flow_name}/{current.run_id}", split.manifests(self.split))
        print(f"learn from {split.train_period(self.split)}")
        print(f"test on {split.test_period(self.split)}")
        self.next(self.fit, foreach="candidates")

    @catch(var="failure")
    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=config_expr("search.get('minutes', 30)"))
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=config_expr("memory(size)"))
    @step
    def fit(self) -> None:
        """Fit one candidate, until its error on the last days to learn from no longer falls."""
        from ml_flows import dataset, model, split
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips = dataset.read_train(self.split, max_rows=self.max_rows, seed=self.seed)
            earlier, later = split.earlier_and_later(trips, self.split)
        self.values = self.input
        self.fitted = model.fit(
            earlier, later, self.values, trees=self.budget["trees"], seed=self.seed
        )
        self.next(self.choose)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=60)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=config_expr("memory(size)"))
    @step
    def choose(self, inputs: Any) -> None:
        """Take the best candidate, calibrate its intervals, fit it and its baselines on all."""
        import polars as pl
        from metaflow_airflow import lineage

        from ml_flows import baselines, dataset, drift, intervals, model, search, split
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            tried = [each for each in inputs if each.failure is None]
            best = search.best(tried, [each.failure for each in inputs])
            self.merge_artifacts(inputs, include=["split", "budget", "rules"])
            trips = dataset.read_train(self.split, max_rows=self.max_rows, seed=self.seed)
            earlier, later = split.earlier_and_later(trips, self.split)
        for manifest in self.split["train"]:
            lineage.read(manifest["uri"])
        lineage.wrote(f"metaflow://{current.flow_name}/{current.run_id}")
        self.tried = [{"values": e.values, "rmse": e.fitted.rmse} for e in tried]
        self.values, self.trees = best.values, best.fitted.trees
        self.intervals = intervals.fit(best.fitted.model, earlier, later, seed=self.seed)
        unseen = later.with_columns(said=pl.Series(model.predict(best.fitted.model, later)))
        self.error_reference = drift.reference(unseen.lazy(), "said")
        self.model = model.refit(trips, self.values, trees=self.trees, seed=self.seed)
        self.baselines = baselines.fit(trips)
        self.rows_train = trips.height
        self.feature_statistics = drift.describe(trips.lazy())
        self.next(self.evaluate)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=20)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=config_expr("memory(size)"))
    @card(type="report")
    @step
    def evaluate(self) -> None:
        """Compare it with the baselines and the champion on time that none has seen."""
        from metaflow_airflow import lineage

        from ml_flows import cards, contest, dataset, promotion, registry, split
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips = dataset.read_test(self.split, max_rows=self.max_rows, seed=self.seed)
            outside = dataset.read_outside(self.split)
            self.scope = promotion.scope(
                self.cab,
                promotion.own_branch(
                    current.branch_name, namespace=current.namespace, user=current.username
                ),
                made_up=bool(split.made_up(self.split)),
            )
            rival = registry.rival(self.scope, self.split)
            self.rival = rival.pathspec if rival else ""
        if self.split["test"]:
            lineage.read(self.split["test"]["uri"])
        found = contest.hold(
            self.model, self.intervals, self.baselines, rival, trips, outside,
            rules=self.rules, rows_train=self.rows_train, seed=self.seed,
        )  # fmt: skip
        self.metrics, self.decision, self.leads = found.metrics, found.decision, found.leads
        self.importance, self.slices = found.importance, found.slices
        self.verdict = "promote" if self.decision["promoted"] else "hold_back"
        current.card.extend(
            cards.training(
                self.split, self.scope, found, rival, trips,
                tried=self.tried, run=f"{current.flow_name}/{current.run_id}",
            )
        )  # fmt: skip
        self.next({"promote": self.promote, "hold_back": self.hold_back}, condition="verdict")

    @retry(times=2, minutes_between_retries=1)
    @step
    def promote(self) -> None:
        """Tag this run as the champion of its branch, unless a newer month's has become it."""
        from ml_flows import promotion, registry

        run = f"{current.flow_name}/{current.run_id}"
        if newer := registry.overtaken(self.scope, self.split, self.rival):
            self.decision = promotion.overtaken(self.decision, newer)
            registry.hold_back(run, self.scope)
        else:
            registry.promote(run, self.scope)
        self.next(self.end)

    @retry(times=2, minutes_between_retries=1)
    @step
    def hold_back(self) -> None:
        """Tag this run as a challenger: predictions stay with the champion."""
        from ml_flows import registry

        registry.hold_back(f"{current.flow_name}/{current.run_id}", self.scope)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Say what came of it."""
        from ml_flows import split

        self.trained = {
            "version": current.run_id,
            "uri": f"metaflow://{current.flow_name}/{current.run_id}",
            "cab": self.cab,
            "month": split.tested_months(self.split)[-1],
            "learned_from": split.trained_months(self.split),
            "promoted": self.decision["promoted"],
            "rmse": self.metrics["rmse"],
        }
        print(
            "RMSE {rmse:.2f} min, MAE {mae:.2f} min on {rows_test} trips; linear baseline "
            "{baseline_rmse:.2f} and {baseline_mae:.2f}: {improvement_percent:.1f} % better; "
            "median of zone pair and hour {rule_rmse:.2f} and {rule_mae:.2f}; {coverage:.1%} in "
            "the 80 % interval".format(**self.metrics)
        )
        if self.metrics["honest_rmse"]:
            print(
                "RMSE {honest_rmse:.2f} min on all {honest_rows} trips of up to 3 hours that "
                "would have been asked for".format(**self.metrics)
            )
        verdict = "promoted" if self.decision["promoted"] else "held back"
        print("; ".join([verdict, *self.decision["reasons"]]))


if __name__ == "__main__":
    check_datastore(sys.argv[1:])
    TrainTripDurationFlow()
