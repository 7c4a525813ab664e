"""What the pipeline is run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.flows import PREDICT, TRAIN, Flow

GENERATOR = "generator"
MADE_UP = "made-up/"


@dataclass(frozen=True)
class Options:
    """`month` is predicted, `train_months` come before it; `timeout` is in seconds.

    `chain`: the data team's DAG starts the flows itself, on the months that it is told. Otherwise
    events do: each month that it publishes starts a training, and its end a prediction.
    """

    cab: str = "green"
    month: str = "2024-01"
    train_months: tuple[str, ...] = ()
    source: str = ""
    rows: int | None = None
    seed: int | None = None
    chain: bool = False
    timeout: float = 1800.0

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The months to train on: as given, else the month before `month`."""
        return self.train_months or (month_before(self.month),)

    @property
    def made_up(self) -> bool:
        """Whether the trips are the generator's: all that comes of them has a root of its own."""
        return self.source == GENERATOR

    @property
    def months(self) -> list[str]:
        """The months that are published."""
        return sorted({*self.trained_on, self.month})

    @property
    def awaited(self) -> dict[Flow, int]:
        """How many runs events start of each flow."""
        return {} if self.chain else dict.fromkeys((TRAIN, PREDICT), len(self.months))

    @property
    def partition(self) -> str:
        """The key of the month's features among all that are published."""
        return f"{MADE_UP if self.made_up else ''}{self.cab}/{self.month}"

    def conf(self) -> dict[str, Any]:
        """Return the parameters of the DAG run."""
        given = {"rows": self.rows, "seed": self.seed, "source": self.source or None}
        return {
            "cab": self.cab,
            "month": self.month,
            "train_months": list(self.trained_on),
            "run_flows": self.chain,
            "train_dag_id": TRAIN.dag_id,
            "predict_dag_id": PREDICT.dag_id,
            **{name: value for name, value in given.items() if value is not None},
        }


def month_before(month: str) -> str:
    """Return the month before: "2024-01" gives "2023-12"."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"
