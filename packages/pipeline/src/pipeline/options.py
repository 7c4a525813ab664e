"""What the pipeline is run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.flows import PREDICT, TRAIN

GENERATOR = "generator"


@dataclass(frozen=True)
class Options:
    """`month` is predicted, `train_months` come before it; `timeout` is in seconds."""

    cab: str = "green"
    month: str = "2024-01"
    train_months: tuple[str, ...] = ()
    source: str = ""
    rows: int | None = None
    seed: int | None = None
    timeout: float = 1800.0

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The months to train on: as given, else the month before `month`."""
        return self.train_months or (month_before(self.month),)

    @property
    def made_up(self) -> bool:
        """Whether the trips are the generator's: all that comes of them has a root of its own."""
        return self.source == GENERATOR

    def conf(self) -> dict[str, Any]:
        """Return the parameters of the DAG run."""
        given = {"rows": self.rows, "seed": self.seed, "source": self.source or None}
        return {
            "cab": self.cab,
            "month": self.month,
            "train_months": list(self.trained_on),
            "run_flows": True,
            "train_dag_id": TRAIN.dag_id,
            "predict_dag_id": PREDICT.dag_id,
            **{name: value for name, value in given.items() if value is not None},
        }


def month_before(month: str) -> str:
    """Return the month before: "2024-01" gives "2023-12"."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"
