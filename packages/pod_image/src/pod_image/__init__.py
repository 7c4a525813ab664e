"""The runtime image that flow steps run in."""

from importlib.metadata import version

__version__ = version("pod-image")
