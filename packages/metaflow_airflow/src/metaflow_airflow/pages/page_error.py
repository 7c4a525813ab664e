"""What a page cannot show, in one sentence for whoever looks at it."""

from __future__ import annotations


class PageError(Exception):
    """Shown instead of (a part of) a page.

    Args:
        status: HTTP's.
    """

    def __init__(self, text: str, status: int = 502) -> None:
        super().__init__(text)
        self.status = status
