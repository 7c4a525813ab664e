"""A Config whose value comes from the command line."""

from metaflow import Config, FlowSpec, step


class Configured(FlowSpec):
    """start -> end."""

    settings = Config("settings", default_value={"rounds": 1})

    @step
    def start(self):
        self.rounds = self.settings.rounds
        self.next(self.end)

    @step
    def end(self):
        self.again = self.settings.rounds


if __name__ == "__main__":
    Configured()
