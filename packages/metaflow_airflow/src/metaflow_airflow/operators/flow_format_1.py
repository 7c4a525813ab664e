"""DAG files without a `format`, as they were before it: what they leave unsaid is worked out here.

They name neither depths nor what may be skipped, nor the list of a foreach step that is a pod.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from metaflow_airflow.operators.flow import MetaflowFlow
from metaflow_airflow.plan.step import PlannedStep, Pod, items_task

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_TIMEOUT_GRACE = 60


class MetaflowFlowFormat1(MetaflowFlow, format=1):
    """The vocabulary of such a file."""

    def step(self, name: str, **words: Any) -> BaseOperator:
        """Add a step as a task."""
        after = words.get("after", ())
        each = words.get("each")
        if each:
            words |= {"over": self._list_of(each), "depth": self._depth(each)}
        if words.get("timeout") and not words.get("pod"):
            words["execution_timeout"] = words["timeout"] + _TIMEOUT_GRACE
        words["may_skip"] = self._may_skip([after] if isinstance(after, str) else after)
        return super().step(name, **words)

    def items(self, foreach: str, *, may_skip: bool = False) -> BaseOperator:
        """Add the task that makes one list of a foreach step's items."""
        known = self._tasks.get(items_task(foreach))
        if known is not None:
            return known  # type: ignore[no-any-return]
        return super().items(foreach, may_skip=self._step(foreach).may_skip)

    def each(
        self, foreach: str, *, over: str | None = None, depth: int = 1
    ) -> Callable[[Callable[[], None]], None]:
        """Decorate a function whose steps run for each item of a foreach step."""
        return super().each(foreach, over=self._list_of(foreach), depth=self._depth(foreach))

    def exit_hooks(
        self,
        *,
        first: str = "",
        last: str = "",
        on_success: Sequence[str] = (),
        on_error: Sequence[str] = (),
        pod: Pod | None = None,
    ) -> BaseOperator:
        """Add both tasks that stand after the last step."""
        steps = list(self._steps)
        hooks = super().exit_hooks(
            first=steps[0],
            last=steps[-1],
            on_success=on_success,
            on_error=on_error,
            pod=self._steps[steps[0]].pod,
        )
        self.exit_outcome(steps[-1])
        return hooks

    def _list_of(self, foreach: str) -> str:
        if self._step(foreach).pod and self._pods_on == "triggerer":
            self.items(foreach)
        flattened = items_task(foreach)
        return flattened if flattened in self._tasks else foreach

    def _depth(self, foreach: str) -> int:
        return self._step(foreach).depth + 1

    def _may_skip(self, after: Sequence[str]) -> bool:
        return any(self._step(name).chooses or self._step(name).may_skip for name in after)

    def _step(self, name: str) -> PlannedStep:
        self._task(name)
        return self._steps[name]
