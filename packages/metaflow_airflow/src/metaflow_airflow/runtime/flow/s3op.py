"""How many processes a step starts to read or write many objects in S3 at once.

Metaflow starts 64 Pythons, whatever the machine: for the artifacts that a join of fifty items
reads, half a minute of two cores and gigabytes of memory, for transfers of milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...compat import metaflow as upstream

VARIABLE = "METAFLOW_S3_WORKER_COUNT"
_A_CORE = 4  # a transfer waits more than it computes
_MOST = 64  # Metaflow's own number


def bound_workers(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with a number that fits the machine, unless somebody chose one.

    Needs Metaflow, whose configuration file may name it too.
    """
    if VARIABLE in environ or VARIABLE in upstream.configuration(environ):
        return dict(environ)
    return {**environ, VARIABLE: str(min(_MOST, _A_CORE * len(os.sched_getaffinity(0))))}
