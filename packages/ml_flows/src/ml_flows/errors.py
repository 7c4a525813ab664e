"""What may go wrong with what a run is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

NO_RETRY = 202
"""Exit code by which a Metaflow step says that a retry would fail alike."""


class InputError(Exception):
    """Parameters, a dataset or access rights cannot be used; a retry would fail alike."""


class StorageUnavailableError(Exception):
    """The storage does not answer at the moment; worth a retry."""


@contextmanager
def no_retry_on_input_error() -> Iterator[None]:
    """Inside a step: end it with one clear line, and without a retry, at an InputError."""
    try:
        yield
    except InputError as error:
        print(f"InputError: {error}", file=sys.stderr, flush=True)
        sys.exit(NO_RETRY)
