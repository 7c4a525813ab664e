"""A step that leaves before its end, as $how says: under `run` no retry and no @catch helps."""

import os
import sys

from metaflow import FlowSpec, Parameter, catch, retry, step


class Early(FlowSpec):  # type: ignore[misc, unused-ignore]
    how = Parameter("how", default="sys.exit")

    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.body, foreach="items")

    @catch(var="failure")
    @retry(times=2, minutes_between_retries=0)
    @step
    def body(self):
        self.x = self.input
        if self.input == 2:
            if self.how == "sys.exit":
                sys.exit()
            if self.how == "os._exit":
                os._exit(0)
            if self.how == "return":
                return
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Early()
