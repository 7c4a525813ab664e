"""A flow whose middle step waits, at its first attempt, to be killed or told to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, retry, step

RETRIES = int(os.environ.get("STEADY_RETRIES", "3"))  # where it is exported
# Neither the step nor the process that it starts, in a session of its own, ends when asked to.
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def is_alive(pid):
    """Whether that process still runs (and is no zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Steady(FlowSpec):
    """start -> work (waits once) -> end."""

    folder = Parameter("folder", help="where work says that it has started", default="")

    @step
    def start(self):
        self.next(self.work)

    @retry(times=RETRIES, minutes_between_retries=0)
    @step
    def work(self):
        folder = Path(self.folder)
        before = [int(path.read_text()) for path in folder.glob("*.pid")]
        if not before:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            helper = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
            (folder / "helper").write_text(str(helper.pid))
        self.others_alive = [pid for pid in before if is_alive(pid)]
        (folder / f"{current.retry_count}.tmp").write_text(str(os.getpid()))
        (folder / f"{current.retry_count}.tmp").rename(folder / f"{current.retry_count}.pid")
        self.attempt = current.retry_count
        if not before:
            print("waiting to be killed, or for the file go")
            deadline = time.monotonic() + 600
            while not (folder / "go").exists():
                if time.monotonic() > deadline:
                    raise TimeoutError("nobody said go")
                time.sleep(0.2)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Steady()
