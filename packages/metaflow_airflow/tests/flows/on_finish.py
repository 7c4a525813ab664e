"""Started by the end of another flow, whose data it reads."""

from metaflow import FlowSpec, current, step, trigger_on_finish


@trigger_on_finish(flow="OnEvent")
class OnFinish(FlowSpec):
    @step
    def start(self):
        self.upstream = current.trigger.run.pathspec
        self.month = current.trigger.run.data.month
        self.kinds = [event.type for event in current.trigger.events]
        self.by_name = current.trigger["OnEvent"].pathspec
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OnFinish()
