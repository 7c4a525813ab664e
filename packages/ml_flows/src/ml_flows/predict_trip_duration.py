"""Predict a month's trip durations with the promoted model, and see whether it has aged."""

import sys

from metaflow import (
    Config,
    FlowSpec,
    Parameter,
    airflow_asset,
    card,
    current,
    environment,
    project,
    resources,
    retry,
    step,
    timeout,
    trigger_on_finish,
)

from ml_flows.datastore import check_datastore
from ml_flows.settings import (
    BASE_MEMORY,
    CORES,
    DRIFT,
    FEATURES_ROOT,
    PREDICTIONS_ROOT,
    THREADS,
)


@airflow_asset(uri=PREDICTIONS_ROOT, extra="published")
@trigger_on_finish(flow="TrainTripDurationFlow")
@project(name="trip_duration")
class PredictTripDurationFlow(FlowSpec):
    """Predict a month's trip durations, publish them, and compare the month with the training's.
    On Airflow each training that ends starts a run, for the month that it was tested on.

    Its steps:

        start -> predict -> compare -> end
    """

    drift_limits = Config("drift", default_value=DRIFT, help="When drift is moderate or large.")

    cab = Parameter("cab", default="green", help="Whose trips: green or yellow.")
    month = Parameter(
        "month",
        default="2024-01",
        help="Month to predict: YYYY-MM. A run that a training starts takes cab, month and "
        "features_root from it.",
    )
    features_root = Parameter(
        "features_root", default=FEATURES_ROOT, help="Where the data team publishes: s3://…"
    )
    predictions_root = Parameter(
        "predictions_root",
        default=PREDICTIONS_ROOT,
        help="Where predictions go: s3://…. Below it, runs that are not production's have a place "
        "of their own.",
    )
    training_run = Parameter(
        "training_run",
        default="",
        help="Training run whose model predicts: its id. Empty: the champion of this branch, else "
        "of production.",
    )

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=5)
    @resources(cpu=CORES, memory=BASE_MEMORY)
    @step
    def start(self) -> None:
        """Pin the month's dataset, the model, and the place for the predictions."""
        from ml_flows import (
            contract,
            dataset,
            promotion,
            publish,
            registry,
            settings,
            split,
            storage,
        )
        from ml_flows.errors import no_retry_on_input_error
        from ml_flows.wanted import Wanted, wanted

        with no_retry_on_input_error():
            root, cab, month = wanted(
                current.get("trigger"), Wanted(self.features_root, self.cab, self.month)
            )
            split.first_day(month)
            self.limits = settings.checked(self.drift_limits, DRIFT, "drift")
            self.features = dataset.resolve(root, cab, month)
            self.last_year = dataset.find(root, cab, split.year_before(month))
            made_up = contract.made_up(self.features)
            self.branch = promotion.own_branch(
                current.branch_name, namespace=current.namespace, user=current.username
            )
            self.place = publish.place(self.predictions_root, self.branch, made_up=made_up)
            storage.require_place(self.place)
            self.training = (
                registry.named(self.training_run, cab, made_up=made_up, branch=self.branch)
                if self.training_run
                else registry.to_predict_with(cab, self.branch, made_up=made_up).pathspec
            )
            self.learned = split.trained_months(registry.artifact(self.training, "split"))
        self.time_order = split.relation(self.learned, month)
        registry.say_features(f"{current.flow_name}/{current.run_id}", [self.features])
        print(f"{self.features['uri']} with the model of {self.training}, to {self.place}")
        if self.time_order != "after":
            print(split.warning(self.time_order, month, self.learned), file=sys.stderr)
        self.next(self.predict)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=60)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=BASE_MEMORY)
    @step
    def predict(self) -> None:
        """Write the predictions as a new version; readers see it once it is complete."""
        from metaflow_airflow import lineage

        from ml_flows import intervals, publish, registry
        from ml_flows.errors import no_retry_on_input_error

        lineage.read(self.features["uri"])
        lineage.read(f"metaflow://{self.training}")
        with no_retry_on_input_error():
            model = registry.artifact(self.training, "model")
            within = registry.artifact(self.training, "intervals")
            self.predictions = publish.predictions(
                self.place,
                self.features,
                lambda trips: intervals.with_mean(within, model, trips),
                lineage={
                    "training_run": self.training,
                    "run": f"{current.flow_name}/{current.run_id}",
                    "branch": self.branch,
                    "learned_from": self.learned,
                    "time_order": self.time_order,
                    "code_version": publish.code_version(),
                },
            )
        lineage.wrote(self.predictions["uri"])
        print(f"{self.predictions['rows']} predictions: {self.predictions['uri']}")
        self.next(self.compare)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=60)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=BASE_MEMORY)
    @card(type="report")
    @step
    def compare(self) -> None:
        """Data drift: other trips than in training? Concept drift: other errors?"""
        from ml_flows import drift_cards, monitor, registry
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            before = registry.artifact(self.training, "feature_statistics")
            reference = registry.artifact(self.training, "error_reference")
            found = monitor.watch(
                self.predictions, before, reference, self.limits,
                last_year=self.last_year,
                predict=lambda: registry.predictor(self.training),
            )  # fmt: skip
        self.feature_statistics, self.coverage = found.statistics, found.coverage
        self.drift, self.concept_drift = found.drift, found.concept_drift
        current.card.extend(
            drift_cards.prediction(self.predictions, before, reference, found, self.limits)
        )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Say what came of it."""
        shown = ("version", "uri", "cab", "month", "rows", "made_up", "training_run")
        self.published = {
            **{name: self.predictions[name] for name in shown},
            "concept_drift": self.concept_drift["level"],
        }
        for feature, figures in self.drift.items():
            print(
                f"data drift of {feature}: PSI {figures['psi']:.3f} "
                f"({figures['psi_noise']:.3f} by chance), {figures['level']}"
            )
        print(
            "concept drift: RMSE {rmse:.2f} min, in training {reference_rmse:.2f}; "
            "bias {bias:+.2f} min, in training {reference_bias:+.2f}: {level}".format(
                **self.concept_drift
            )
        )


if __name__ == "__main__":
    check_datastore(sys.argv[1:])
    PredictTripDurationFlow()
