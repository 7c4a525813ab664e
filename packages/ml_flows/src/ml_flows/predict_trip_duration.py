"""Predict a month's trip durations with the latest trained model, and see whether it has aged."""

import sys

from metaflow import (
    FlowSpec,
    Parameter,
    card,
    current,
    environment,
    project,
    resources,
    retry,
    step,
    timeout,
)

from ml_flows.settings import CORES, FEATURES_ROOT, MEMORY, PREDICTIONS_ROOT, THREADS
from ml_flows.storage import check_datastore


@project(name="trip_duration")
class PredictTripDurationFlow(FlowSpec):
    """Predict a month's trip durations, publish them, and compare the month with the training's.

    Its steps:

        start -> predict -> compare -> end
    """

    cab = Parameter("cab", default="green", help="Whose trips: green or yellow.")
    month = Parameter("month", default="2024-01", help="Month to predict: YYYY-MM.")
    features_root = Parameter(
        "features_root", default=FEATURES_ROOT, help="Where the data team publishes: s3://…"
    )
    predictions_root = Parameter(
        "predictions_root", default=PREDICTIONS_ROOT, help="Where predictions go: s3://…"
    )
    training_run = Parameter(
        "training_run",
        default="",
        help="Training run whose model predicts: its id. Empty: the latest successful one.",
    )

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=5)
    @resources(cpu=CORES, memory=MEMORY)
    @step
    def start(self) -> None:
        """Pin the month's dataset and the training run."""
        from ml_flows import dataset, storage, training_runs
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            dataset.first_day(self.month)
            self.features = dataset.resolve(self.features_root, self.cab, self.month)
            storage.require_bucket(self.predictions_root)
            self.training = (
                training_runs.named(self.training_run, self.cab)
                if self.training_run
                else training_runs.latest(self.cab, branch=current.branch_name)
            )
        print(f"{self.features['uri']} with the model of {self.training}")
        self.next(self.predict)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=20)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=MEMORY)
    @step
    def predict(self) -> None:
        """Write the predictions as a new version; readers see it once it is complete."""
        from ml_flows import dataset, model, publish, training_runs
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips = dataset.read([self.features])
            trained = training_runs.artifact(self.training, "model")
            self.predictions = publish.predictions(
                self.predictions_root,
                trips,
                model.predict(trained, trips),
                features=self.features,
                training_run=self.training,
                run=f"{current.flow_name}/{current.run_id}",
            )
        print(f"{self.predictions['rows']} predictions: {self.predictions['uri']}")
        self.next(self.compare)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=20)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=MEMORY)
    @card(type="report")
    @step
    def compare(self) -> None:
        """Data drift: other trips than in training? Concept drift: other errors?"""
        from ml_flows import cards, drift, metrics, publish, training_runs
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips, predicted = publish.read(self.predictions)
            before = training_runs.artifact(self.training, "feature_statistics")
            reference = training_runs.artifact(self.training, "error_reference")
        self.feature_statistics = drift.describe(trips)
        self.drift = drift.data_drift(before, self.feature_statistics)
        self.concept_drift = drift.concept_drift(reference, metrics.minutes(trips), predicted)
        current.card.extend(
            cards.drift(
                self.predictions,
                before,
                self.feature_statistics,
                self.drift,
                reference,
                self.concept_drift,
                trips,
                predicted,
            )
        )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Say what came of it."""
        for feature, figures in self.drift.items():
            print(f"data drift of {feature}: PSI {figures['psi']:.3f}, {figures['level']}")
        print(
            "concept drift: RMSE {rmse:.2f} min, in training {reference_rmse:.2f}; "
            "bias {bias:+.2f} min, in training {reference_bias:+.2f}: {level}".format(
                **self.concept_drift
            )
        )


if __name__ == "__main__":
    check_datastore(sys.argv[1:])
    PredictTripDurationFlow()
