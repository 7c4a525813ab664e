"""A new token when the API server takes the old one no longer.

Clouds give tokens for a quarter of an hour, and a triggerer lives for weeks.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from metaflow_airflow.compat.python import timeout
from metaflow_airflow.pods.cluster_errors import ClusterUnreachableError

_PAUSE = 10.0  # seconds after which one that did not help may be tried again
_WITHIN = 60.0  # seconds: all other requests wait for it

log = logging.getLogger(__name__)


class SignIn:
    """Signs in once for all requests that were refused with the same token.

    Args:
        get_token: gives the cluster's client a new token. clock: seconds.
    """

    def __init__(
        self,
        get_token: Callable[[], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._get_token = get_token
        self._clock = clock
        self._lock = asyncio.Lock()
        self._ended = -math.inf  # when the last one did
        self._failure = ""

    async def again(self, asked: float) -> bool:
        """Whether a request that was refused may be sent again; not if the new token is refused.

        Args:
            asked: when it was sent, in the clock's seconds.

        Raises:
            ClusterUnreachableError: there is no new token, for now.
        """
        async with self._lock:
            # What was sent while another one signed in may have had the old token or the new.
            is_shared = self._ended > asked
            if not is_shared and self._clock() - self._ended >= _PAUSE:
                await self._renew()
                is_shared = True
            if self._failure:
                raise ClusterUnreachableError(f"no new token for the cluster: {self._failure}")
            return is_shared

    async def _renew(self) -> None:
        self._failure = ""
        try:
            async with timeout(_WITHIN):
                await self._get_token()
            log.info("Signed in to the cluster again")
        except Exception as error:  # noqa: BLE001 - each way to sign in has its own
            self._failure = str(error) or type(error).__name__
            log.warning("No new token for the cluster: %s", self._failure)
        self._ended = self._clock()
