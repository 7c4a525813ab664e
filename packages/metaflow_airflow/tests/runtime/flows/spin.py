"""A switch that chooses itself; FAIL_AT and OFTEN in the environment say what it does."""

import os

from metaflow import FlowSpec, current, step


class SpinFlow(FlowSpec):
    """spin runs until it has counted to OFTEN."""

    @step
    def start(self):
        self.count, self.tasks = 0, []
        self.next(self.spin)

    @step
    def spin(self):
        self.count += 1
        self.tasks = [*self.tasks, [current.task_id, current.retry_count]]
        print(f"this is count {self.count}")
        if str(self.count) == os.environ.get("FAIL_AT"):
            raise RuntimeError(f"count {self.count} fails")
        self.way = "on" if self.count < int(os.environ.get("OFTEN", "3")) else "off"
        self.next({"on": self.spin, "off": self.end}, condition="way")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SpinFlow()
