"""What a release refuses, in one sentence."""


class ReleaseError(Exception):
    """The release was not made; the text says why and what to do."""
