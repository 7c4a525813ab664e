"""The DAGs of the pipeline: the data team's, and the ML team's flows in production."""

from __future__ import annotations

from dataclasses import dataclass

DATA_DAG = "data_engineering_dag"


@dataclass(frozen=True)
class Flow:
    """A flow of the pipeline: its file's stem and the DAG id of its production deployment."""

    stem: str
    dag_id: str

    @property
    def dag_file(self) -> str:
        """The name of the exported file."""
        return f"{self.stem}.py"


TRAIN = Flow("train_trip_duration", "trip_duration.prod.TrainTripDurationFlow")
PREDICT = Flow("predict_trip_duration", "trip_duration.prod.PredictTripDurationFlow")
FLOWS = (TRAIN, PREDICT)
