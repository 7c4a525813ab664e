"""What can go wrong with the data, told apart by whether trying again may help."""

from __future__ import annotations


class DataError(Exception):
    """Something is wrong with the data or with where it lies; the message names it."""


class BadInputError(DataError):
    """What was asked for cannot be had: the same try would fail again."""


class HeldBackError(BadInputError):
    """A month was written, but is not shown to readers: somebody has to look at it first."""


class UnavailableError(DataError):
    """A server did not answer or broke off, or a disk is full: another try may succeed."""
