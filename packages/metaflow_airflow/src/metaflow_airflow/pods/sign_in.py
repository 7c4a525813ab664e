"""A new token when the API server takes the old one no longer.

Clouds give tokens for a quarter of an hour, and a triggerer lives for weeks.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

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
        self._last = -math.inf

    async def again(self, asked: float) -> bool:
        """Whether a request that was refused may be sent again.

        Args:
            asked: when it was sent, in the clock's seconds.
        """
        async with self._lock:
            if self._last > asked:
                return True  # another one has a new token meanwhile
            if self._clock() - self._last < _PAUSE:
                return False
            self._last = self._clock()
            try:
                async with asyncio.timeout(_WITHIN):
                    await self._get_token()
            except Exception as error:  # noqa: BLE001 - each way to sign in has its own
                log.warning("No new token for the cluster: %s", str(error) or type(error).__name__)
                return False
            log.info("Signed in to the cluster again")
            return True
