"""A flow whose middle step waits to be killed at its first attempt."""

import os
import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, retry, step


def is_alive(pid):
    """Whether that process still runs (and is no zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Steady(FlowSpec):
    """start -> work (killed once) -> end."""

    folder = Parameter("folder", help="where work says that it has started", default="")

    @step
    def start(self):
        self.next(self.work)

    @retry(times=3, minutes_between_retries=0)
    @step
    def work(self):
        folder = Path(self.folder)
        before = [int(path.read_text()) for path in folder.glob("*.pid")]
        self.others_alive = [pid for pid in before if is_alive(pid)]
        (folder / f"{current.retry_count}.tmp").write_text(str(os.getpid()))
        (folder / f"{current.retry_count}.tmp").rename(folder / f"{current.retry_count}.pid")
        self.attempt = current.retry_count
        if not before:
            print("waiting to be killed")
            time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Steady()
