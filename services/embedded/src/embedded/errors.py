"""What the stack says when it cannot go on."""


class StackError(Exception):
    """Something the reader can act on: the message names the thing, the place and the way out."""


class NotReadyError(Exception):
    """A server that runs does not answer yet; the message says what it answered instead."""
