"""A step task as one environment variable: gzip, then base64. Pure."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib

from .task import StepTask, TaskFormatError

_MOST = 128 * 1024 - 1024  # Linux takes 128 KiB for one variable, name and all


def pack(task: StepTask) -> str:
    """The variable's value.

    Raises:
        TaskFormatError: it is longer than a variable can be.
    """
    # mtime=0: the same task gives the same text.
    text = base64.b64encode(gzip.compress(task.to_json().encode(), mtime=0)).decode()
    if len(text) > _MOST:
        raise TaskFormatError(
            f"Step {task.pathspec} takes {len(task.input_paths)} inputs and "
            f"{len(task.to_json())} bytes of parameters, more than a container's environment "
            "holds. Join in two steps, or keep large parameters in the datastore (IncludeFile)."
        )
    return text


def unpack(text: str) -> str:
    """The task's JSON.

    Raises:
        TaskFormatError: not such a value.
    """
    if not text:
        raise TaskFormatError("Not a packed step task: the variable is empty or not set.")
    try:
        return gzip.decompress(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TaskFormatError(f"Not a packed step task: {error}.") from error
