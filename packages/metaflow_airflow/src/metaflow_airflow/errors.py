"""The bridge's own errors. Their text names the thing, the place and the way out."""


class BridgeError(Exception):
    """Anything that the bridge refuses or could not do."""


class NotSupportedError(BridgeError):
    """The flow uses something that cannot run on Airflow; raised when it is compiled."""
