"""Which task instance a page is about: the query of every route that shows one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator


def _number(text: str | int) -> int:
    # Airflow leaves its placeholder {MAP_INDEX} as it stands where a task is not mapped.
    return int(text) if str(text).removeprefix("-").isdecimal() else -1


@dataclass(frozen=True)
class TaskAddress:
    """A task instance, as Airflow names it.

    Args:
        map_index: -1 when it is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: Annotated[int, BeforeValidator(_number)] = -1

    def __str__(self) -> str:
        item = f" [{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id} {self.run_id} {self.task_id}{item}"
