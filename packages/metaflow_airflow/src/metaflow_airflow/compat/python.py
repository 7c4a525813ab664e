"""What Python 3.10 lacks of what the bridge uses; goes when 3.11 is the oldest.

`async_timeout` is what asyncio's own was made of; it raises asyncio.TimeoutError, which 3.10 tells
from TimeoutError.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

__all__ = ["parse_time", "postpone", "timeout"]


def postpone(limit: Any, moment: float) -> None:
    """Give a running timeout another end.

    Args:
        moment: of the loop's clock, in seconds.
    """
    if sys.version_info >= (3, 11):
        limit.reschedule(moment)
    else:
        limit.update(moment)


def parse_time(text: str) -> datetime:
    """An ISO 8601 time of an API, which writes UTC as Z.

    Raises:
        ValueError: it is none.
    """
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
