"""What the bridge's DAG bundle mends in Airflow's DAG processor, where it is loaded.

Read in Airflow 3.3.2: dag_processing/manager.py.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

_MANAGER = "airflow.dag_processing.manager"


def forget_callbacks() -> None:
    """Have the DAG processor of this process, if it is one, forget how callbacks ended.

    It keeps that beside how parsing the file ended, by the version that the callback was for, and
    without a time. From then on it takes the file for one that was never parsed, and parses it
    without a pause until the processor ends (apache/airflow#73432): one task that died outside of
    its own code is enough. Nothing reads what is forgotten.
    """
    manager = sys.modules.get(_MANAGER)
    if manager is None or not hasattr(manager.DagFileInfo, "presence_key"):  # before 3.3
        return
    processor: Any = manager.DagFileProcessorManager
    prepare = processor.prepare_file_queue
    if hasattr(prepare, "__wrapped__"):
        return

    @functools.wraps(prepare)
    def prepare_file_queue(self: Any, *args: Any, **kwargs: Any) -> Any:
        for file in [file for file in self._file_stats if file.bundle_version]:
            del self._file_stats[file]
        return prepare(self, *args, **kwargs)

    processor.prepare_file_queue = prepare_file_queue
