"""Train a model of taxi trip duration, beside a linear baseline, and test it on held-out time."""

import sys
from typing import Any

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

from ml_flows.settings import CORES, FEATURES_ROOT, MEMORY, THREADS
from ml_flows.storage import check_datastore


@project(name="trip_duration")
class TrainTripDurationFlow(FlowSpec):
    """Train a model of taxi trip duration and compare it with a linear baseline.

    Its steps:

        start --> baseline ------------> evaluate -> end
              `-> gradient_boosting -'
    """

    cab = Parameter("cab", default="green", help="Whose trips: green or yellow.")
    train_months = Parameter(
        "train_months", default="2023-12", help="Months to learn from: YYYY-MM, comma separated."
    )
    test_month = Parameter(
        "test_month",
        default="2024-01",
        help="Month to test on, YYYY-MM. Empty: hold out the last 7 days of the train months.",
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
    @resources(cpu=CORES, memory=MEMORY)
    @step
    def start(self) -> None:
        """Pin one version of each month's dataset, so that all steps read the same rows."""
        from ml_flows import dataset
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            self.split = dataset.plan_split(
                self.features_root, self.cab, self.train_months, self.test_month
            )
        print(f"learn from {dataset.train_period(self.split)}")
        print(f"test on {dataset.test_period(self.split)}")
        self.next(self.baseline, self.gradient_boosting)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=20)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=MEMORY)
    @step
    def baseline(self) -> None:
        """Fit the model to beat: linear regression on the two zones."""
        from ml_flows import dataset, model
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips = dataset.read_train(self.split, max_rows=self.max_rows, seed=self.seed)
        self.baseline_model = model.fit_baseline(trips)
        self.next(self.evaluate)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=60)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=MEMORY)
    @step
    def gradient_boosting(self) -> None:
        """Fit the model, and keep what its trips and its errors look like, to see drift later."""
        from ml_flows import dataset, drift, metrics, model
        from ml_flows.errors import no_retry_on_input_error

        with no_retry_on_input_error():
            trips = dataset.read_train(self.split, max_rows=self.max_rows, seed=self.seed)
        fit, validation = model.split_validation(trips, seed=self.seed)
        self.model = model.fit_gradient_boosting(fit, validation, seed=self.seed)
        self.rows_train = trips.height
        self.feature_statistics = drift.describe(trips)
        self.error_reference = drift.reference(
            metrics.minutes(validation), model.predict(self.model, validation)
        )
        self.next(self.evaluate)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=20)
    @environment(vars=THREADS)
    @resources(cpu=CORES, memory=MEMORY)
    @card(type="report")
    @step
    def evaluate(self, inputs: Any) -> None:
        """Compare both models on time that neither has seen."""
        from ml_flows import cards, dataset, metrics, model
        from ml_flows.errors import no_retry_on_input_error

        self.merge_artifacts(inputs)
        with no_retry_on_input_error():
            trips = dataset.read_test(self.split, max_rows=self.max_rows, seed=self.seed)
        predicted = model.predict(self.model, trips)
        baseline = model.predict(self.baseline_model, trips)
        self.metrics = metrics.compare(
            metrics.minutes(trips), predicted, baseline, rows_train=self.rows_train
        )
        self.importance = model.importance(self.model, trips, seed=self.seed)
        current.card.extend(
            cards.training(self.split, self.metrics, self.importance, trips, predicted, baseline)
        )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Say what came of it."""
        print(
            "RMSE {rmse:.2f} min, MAE {mae:.2f} min on {rows_test} trips; linear baseline "
            "{baseline_rmse:.2f} and {baseline_mae:.2f}: {improvement_percent:.1f} % better".format(
                **self.metrics
            )
        )


if __name__ == "__main__":
    check_datastore(sys.argv[1:])
    TrainTripDurationFlow()
