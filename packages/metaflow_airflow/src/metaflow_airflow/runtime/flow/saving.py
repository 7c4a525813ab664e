"""Keeps a step from starting more Pythons for saving a few small artifacts to S3.

For more than ten artifacts, Metaflow starts a program that starts a process for each, though most
of them are its own, tiny, and in the datastore already. That costs a second of CPU a step, about
what all else of a trivial step does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import Any

from ...compat import metaflow as upstream

_FEW = 32
_SMALL = 4 << 20  # bytes of all together: sent one after the other, sooner than Python starts
_ONE_BY_ONE = 1  # as a hint of their number


def save_small_here(storage: type[Any]) -> None:
    """Make Metaflow's S3 storage send few small objects from this process; others go as before."""
    upstream.replace_save_bytes(storage, _few_here)


def _few_here(save: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(save)
    def save_bytes(
        self: Any, path_and_bytes_iter: Iterable[Any], overwrite: bool = False, len_hint: int = 0
    ) -> Any:
        rest = iter(path_and_bytes_iter)
        first = list(_while_small(rest))
        if len(first) <= _FEW and sum(map(_size, first)) <= _SMALL:
            return save(self, first, overwrite, _ONE_BY_ONE)
        return save(self, chain(first, rest), overwrite, len_hint)

    return save_bytes


def _while_small(items: Iterator[Any]) -> Iterator[Any]:
    """The first ones, up to and with the one that makes them too many or too large."""
    number = size = 0
    for item in items:
        yield item
        number, size = number + 1, size + _size(item)
        if number > _FEW or size > _SMALL:
            return


def _size(item: Any) -> int:
    """Bytes of (path, content) or (path, (content, metadata)); of an open file more than small."""
    content = item[1][0] if isinstance(item[1], tuple) else item[1]
    if isinstance(content, BytesIO):
        return content.getbuffer().nbytes
    return len(content) if isinstance(content, bytes) else _SMALL + 1
