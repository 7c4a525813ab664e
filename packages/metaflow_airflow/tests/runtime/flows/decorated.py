"""Decorators that change how a step runs."""

import os
import time

from metaflow import FlowSpec, card, catch, current, environment, retry, step, timeout


class DecoratedFlow(FlowSpec):  # type: ignore[misc, unused-ignore]
    @card
    @environment(vars={"COLOUR": "blue", "SHARED_TOKEN": "the flow's"})
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        from metaflow_airflow import lineage

        for uri in ("s3://features/1", "s3://features/1", f"s3://tried/{current.retry_count}"):
            lineage.read(uri)
        self.colour = os.environ.get("COLOUR")
        self.token = os.environ.get("SHARED_TOKEN")
        self.attempt = current.retry_count
        self.tags = sorted(current.tags)
        self.namespace = current.namespace
        self.username = current.username
        self.origin = current.origin_run_id
        if current.retry_count < int(os.environ.get("FAIL_BEFORE", "0")):
            raise RuntimeError(f"attempt {current.retry_count} fails")
        lineage.wrote(f"metaflow://{current.flow_name}/{current.run_id}")
        self.next(self.caught)

    @catch(var="failure", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def caught(self):
        self.ran = True
        if os.environ.get("WAIT"):
            print("waiting to be ended")
            time.sleep(300)
        if os.environ.get("FAIL"):
            raise KeyError("nothing here")
        self.next(self.timed)

    @timeout(seconds=1)
    @step
    def timed(self):
        time.sleep(float(os.environ.get("SLEEP", "0")))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DecoratedFlow()
