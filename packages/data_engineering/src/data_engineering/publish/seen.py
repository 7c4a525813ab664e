"""The fingerprints of a whole file, on disk, so that memory does not grow with the file."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_engineering.storage.objects import local_files
from data_engineering.trips.repeats import Prints, among, twice

_PARTS = 16  # by the first bits of a fingerprint: equal ones are in one part
_BITS = np.uint64(60)


class Seen:
    """Takes fingerprints batch by batch, and tells at the end which are there twice."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._files = [self._part() for _ in range(_PARTS)]

    def _part(self) -> BinaryIO:
        file = tempfile.TemporaryFile(prefix="trips-")  # noqa: SIM115 - closed by `__exit__`
        return cast(BinaryIO, self._open.enter_context(file))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, prints: Prints) -> None:
        """Remember a batch of fingerprints."""
        part = (prints >> _BITS).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=_PARTS))
        with local_files(f"writing to {tempfile.gettempdir()}"):
            for file, chosen in zip(self._files, np.split(prints[order], ends[:-1]), strict=True):
                file.write(chosen.tobytes())

    def look(self, asked: Prints) -> tuple[Prints, NDArray[np.bool_]]:
        """Return what was added more than once, and which of `asked` were added at all."""
        repeated, found = [np.zeros(0, np.uint64)], np.zeros(len(asked), np.bool_)
        for part, file in enumerate(self._files):
            file.seek(0)
            known = pl.Series(np.frombuffer(file.read(), np.uint64)).sort(in_place=True).to_numpy()
            repeated.append(twice(known))
            (here,) = (asked >> _BITS == part).nonzero()
            found[here] = among(asked[here], known)
        return np.concatenate(repeated), found
