"""A step that does what $TROUBLE says."""

import importlib
import locale
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from metaflow import FlowSpec, step


def fail():
    print("about to fail")
    raise ValueError("the answer is not 41")


def leave():
    print("said to stderr last", file=sys.stderr)
    sys.exit(7)


def leave_early():
    sys.exit(0)


def end_process():
    os._exit(0)


def kill9():
    print("last words")
    os.kill(os.getpid(), signal.SIGKILL)


def sleep():
    Path(os.environ["STARTED"]).write_text(str(os.getpid()))
    print("sleeping")
    time.sleep(600)


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep()


def polite():
    def bye(number, frame):
        print("cleaning up after", signal.Signals(number).name)
        sys.exit(0)

    signal.signal(signal.SIGTERM, bye)
    sleep()


def children():
    """One in the group, one in a session of its own, one more of each made by fork."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    pids = [
        subprocess.Popen(sleeper).pid,
        subprocess.Popen(sleeper, start_new_session=True, stdout=subprocess.DEVNULL).pid,
    ]
    for detach in (False, True):
        pid = os.fork()
        if pid == 0:
            if detach:
                os.setsid()
            time.sleep(600)
        pids.append(pid)
    Path(os.environ["STARTED"]).write_text(" ".join(map(str, pids)))


def children_and_sleep():
    children()
    time.sleep(600)


def flood():
    line = "x" * 99 + "\n"
    for _ in range(int(os.environ["LINES"])):
        sys.stdout.write(line)


def junk():
    os.write(1, b"\x00\xff\xfe caf\xe9\n")
    os.write(2, bytes(range(256)) + b"\n")
    os.write(1, b"\r1 %\r2 %\r3 %\n")
    os.write(1, b"z" * 300_000)
    os.write(2, b"no line end")


def write_local():
    Path("left_behind.txt").write_text("x")
    print(Path.cwd())


def remove_logs():
    for name in ("stdout", "stderr"):
        Path("..", name).unlink()
    print("no log to go to")


class TroubleFlow(FlowSpec):  # type: ignore[misc, unused-ignore]
    @step
    def start(self):
        print("trouble:", os.environ.get("TROUBLE"))
        trouble = os.environ.get("TROUBLE")
        if trouble:
            globals()[trouble]()
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("METAFLOW_", "MF_", "PYTHON", "AIRFLOW", "_AIRFLOW", "MINE"))
        }
        self.executable = sys.executable
        self.main_file = sys.modules["__main__"].__file__
        self.argv0 = sys.argv[0]
        self.path = list(sys.path)
        self.bridge = importlib.import_module("metaflow_airflow").__file__
        self.cwd = str(Path.cwd())
        self.encoding = locale.getpreferredencoding(False).lower()
        self.umask = os.umask(0)
        os.umask(self.umask)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TroubleFlow()
