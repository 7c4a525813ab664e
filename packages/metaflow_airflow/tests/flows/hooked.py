"""A flow that says in files how its runs ended."""

import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, exit_hook, step


def folder(run):
    return Path(run["start"].task.data.folder)


def celebrate(run):
    (folder(run) / "success").write_text(f"{run.id} {run.successful}")


def broken():
    print("the hook that breaks")
    raise ValueError("this hook is broken")


def mourn(run):
    with (folder(run) / "error").open("a") as file:
        file.write(f"{run.id} {run.successful}\n")


@exit_hook(on_success=[broken, celebrate])
@exit_hook(on_error=["mourn"])
class Hooked(FlowSpec):
    """start -> work[i] -> join -> end; item 1 may fail or wait."""

    folder = Parameter("folder", default="")
    way = Parameter("way", help="what item 1 does: work, fail or wait", default="work")

    @step
    def start(self):
        self.items = [0, 1]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        if self.input == 1 and self.way == "fail":
            raise ValueError("item 1 was told to fail")
        if self.input == 1 and self.way == "wait":
            (Path(self.folder) / "waiting").touch()
            time.sleep(300)
        if self.input == 0 and self.way == "fail":
            # Still at work when the other item has failed: hooks come after it.
            time.sleep(4)
            (Path(self.folder) / "worked").touch()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Hooked()
