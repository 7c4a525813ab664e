"""A step that leaves a mark outside Metaflow each time that it begins, then takes its time."""

import os
import time
import uuid

from metaflow import S3, FlowSpec, Parameter, current, retry, step


class Marked(FlowSpec):
    """start -> work -> end."""

    seconds = Parameter("seconds", default=1)
    fails = Parameter("fails", default="", help="how the first attempt ends: exit, memory or late")

    @step
    def start(self):
        self.next(self.work)

    @retry(times=1, minutes_between_retries=0)
    @step
    def work(self):
        with S3(s3root=f"{os.environ['METAFLOW_DATASTORE_SYSROOT_S3']}/marks") as s3:
            s3.put(f"{current.run_id}/{os.environ['MF_ATTEMPT']}-{uuid.uuid4().hex}", "begun")
        self.attempt = current.retry_count
        for second in range(self.seconds):
            print("second", second, flush=True)
            time.sleep(1)
        if self.fails == "exit":
            raise SystemExit(202)
        if self.attempt == 0 and self.fails == "late":
            time.sleep(300)
        if self.attempt == 0 and self.fails == "memory":
            self.hoard = bytearray(1 << 30)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Marked()
