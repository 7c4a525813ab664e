"""Steps in pods and steps as processes, by decorator."""

import os

from metaflow import FlowSpec, kubernetes, step


def place():
    return "pod" if "METAFLOW_KUBERNETES_POD_NAME" in os.environ else "process"


class Mixed(FlowSpec):
    """start (pod) -> local (process), a foreach -> work (pods) -> join (process) -> end."""

    @kubernetes
    @step
    def start(self):
        self.place = place()
        self.next(self.local)

    @step
    def local(self):
        self.place = place()
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @kubernetes
    @step
    def work(self):
        self.place = place()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.places = [each.place for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Mixed()
