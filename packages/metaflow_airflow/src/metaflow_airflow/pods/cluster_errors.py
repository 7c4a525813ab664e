"""What an API server answers instead of what it was asked for. Pure."""

from __future__ import annotations

_CONFLICT, _GONE, _TOO_MANY = 409, 410, 429
# What a 409 says of an object that somebody else changed meanwhile: a quota that is being counted.
_CHANGED = "Conflict"


class ClusterError(Exception):
    """The API server answered, and refused.

    Args:
        status: of HTTP. reason: the API's own word for it ("AlreadyExists").
    """

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message or reason or f"status {status}")
        self.status = status
        self.reason = reason

    @property
    def expired(self) -> bool:
        """A watch has to begin anew."""
        return self.status == _GONE

    @property
    def busy(self) -> bool:
        """The same request may succeed a moment later."""
        changed = self.status == _CONFLICT and self.reason == _CHANGED
        return changed or self.status == _TOO_MANY or self.status >= 500

    @property
    def full(self) -> bool:
        """The namespace's quota has no room for it."""
        return self.status == 403 and "exceeded quota" in str(self)

    @property
    def may_pass(self) -> bool:
        """The same request may succeed some time."""
        return self.busy or self.full


class ClusterUnreachableError(Exception):
    """The API server did not answer, or takes no token that can be had."""


class ConnectError(Exception):
    """There is no way to the cluster: the Airflow connection, or what it names, is not usable."""
