"""A flow whose steps run in the environment that uv makes of the project's lock file."""

import sys

from metaflow import FlowSpec, step


class Isolated(FlowSpec):
    """start -> end."""

    @step
    def start(self):
        from importlib.metadata import version

        self.version = version("iniconfig")
        self.executable = sys.executable
        self.next(self.end)

    @step
    def end(self):
        from importlib.metadata import version

        assert version("iniconfig") == self.version


if __name__ == "__main__":
    Isolated()
