"""Steps that take longer than their @timeout, and a foreach over nothing."""

import subprocess
import sys
import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, catch, step, timeout


class Overdue(FlowSpec):
    """start -> slow (caught) | late (not caught) | fan (foreach over nothing) -> merge -> end."""

    how = Parameter("how", default="empty", help="caught, late or empty")
    helper = Parameter("helper", help="where late names the process that it starts", default="")

    @step
    def start(self):
        self.next({"caught": self.slow, "empty": self.fan, "late": self.late}, condition="how")

    @catch(var="overdue")
    @timeout(seconds=1)
    @step
    def slow(self):
        time.sleep(60)
        self.next(self.merge)

    @timeout(seconds=1)
    @step
    def late(self):
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        helper = subprocess.Popen(sleep, start_new_session=True)
        Path(self.helper).write_text(str(helper.pid))
        time.sleep(60)
        self.next(self.merge)

    @step
    def fan(self):
        self.items = []
        self.next(self.item, foreach="items")

    @step
    def item(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.merge)

    @step
    def merge(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Overdue()
