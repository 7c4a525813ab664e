"""Values out of pickles without unpickling: plain data is read, anything else is refused.

A pickle is a program, and whoever wrote the flow wrote it. Python's own disassembler names its
instructions; those that build plain data are followed here, and none that calls or imports.
"""

from __future__ import annotations

import pickletools
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MOST_BYTES = 1 << 20
"""Of an artifact that is looked into, unpacked."""


class NotPlainError(Exception):
    """The value is more than plain data, or too large."""


def plain_value(packed: bytes, most: int = MOST_BYTES) -> Any:
    """The value of an artifact as Metaflow stores it: a pickle, compressed by gzip.

    Raises:
        NotPlainError: it needs code to be read, is larger than `most` bytes, or is no pickle.
    """
    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(packed, most + 1)
    except zlib.error as error:
        raise NotPlainError(f"not compressed as Metaflow does it: {error}") from error
    if len(data) > most:
        raise NotPlainError(f"larger than {most:,} bytes")
    try:
        return _Reader().read(data)
    except NotPlainError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotPlainError(f"no pickle that can be followed: {error}") from error


_IGNORED = ("PROTO", "FRAME")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# Their argument is the value.
_ARGUMENTS = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
_NEW: Mapping[str, Callable[[], Any]] = {
    "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": set,
}  # fmt: skip
# How many of the last values make a tuple.
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# What the values since the last mark make.
_MARKED: Mapping[str, Callable[[list[Any]], Any]] = {
    "TUPLE": tuple,
    "LIST": list,
    "FROZENSET": frozenset,
    "DICT": lambda values: dict(_pairs(values)),
}
# What the values since the last mark, or the last few, are added to the value before them by.
_ADDED_MARKED: Mapping[str, Callable[[Any, list[Any]], None]] = {
    "APPENDS": lambda target, values: target.extend(values),
    "ADDITEMS": lambda target, values: target.update(values),
    "SETITEMS": lambda target, values: target.update(_pairs(values)),
}
_ADDED = {"APPEND": (1, "APPENDS"), "SETITEM": (2, "SETITEMS")}
_PUT, _GET = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)


class _Reader:
    """A stack and a memo, as the pickle's own machine has them."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []  # how long the stack was at each mark
        self._memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        """The value that the pickle makes."""
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return self._stack.pop()
            if not (
                opcode.name in _IGNORED
                or self._push(opcode.name, argument)
                or self._gather(opcode.name)
                or self._remember(opcode.name, argument)
            ):
                raise NotPlainError("it is no plain data: code would have to run")
        raise NotPlainError("the pickle has no end")

    def _push(self, name: str, argument: Any) -> bool:
        """A value of its own; whether the instruction is one that makes it."""
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _ARGUMENTS:
            self._stack.append(argument)
        elif name in _NEW:
            self._stack.append(_NEW[name]())
        elif name == "MARK":
            self._marks.append(len(self._stack))
        else:
            return False
        return True

    def _gather(self, name: str) -> bool:
        """A value made of those before it, or added to one."""
        if name in _TUPLES:
            self._stack.append(tuple(self._last(_TUPLES[name])))
        elif name in _MARKED:
            self._stack.append(_MARKED[name](self._marked()))
        elif name in _ADDED_MARKED:
            values = self._marked()
            _ADDED_MARKED[name](self._stack[-1], values)
        elif name in _ADDED:
            count, many = _ADDED[name]
            values = self._last(count)
            _ADDED_MARKED[many](self._stack[-1], values)
        else:
            return False
        return True

    def _remember(self, name: str, argument: Any) -> bool:
        """A value that is named again later."""
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in _PUT:
            self._memo[argument] = self._stack[-1]
        elif name in _GET:
            self._stack.append(self._memo[argument])
        else:
            return False
        return True

    def _last(self, count: int) -> list[Any]:
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values
