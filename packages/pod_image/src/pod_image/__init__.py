"""The runtime image that flow steps run in."""

__version__ = "0.1.0"
