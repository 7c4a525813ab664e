"""A flow whose step says that a retry would not help."""

import sys

from metaflow import FlowSpec, retry, step


class Hopeless(FlowSpec):
    """start ends with exit code 202."""

    @retry(times=3, minutes_between_retries=1)
    @step
    def start(self):
        print("the bucket does not exist", file=sys.stderr)
        sys.exit(202)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Hopeless()
