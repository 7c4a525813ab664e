"""A step that is well at its third attempt, and one that never is and has a fallback."""

from metaflow import FlowSpec, catch, current, retry, step


class Tried(FlowSpec):
    """start -> steady, caught -> join -> end."""

    @step
    def start(self):
        self.next(self.steady, self.caught)

    @retry(times=2, minutes_between_retries=0)
    @step
    def steady(self):
        self.attempt = current.retry_count
        if self.attempt < 2:
            raise ValueError(f"attempt {self.attempt} fails")
        self.next(self.join)

    # Its traceback has other paths on another machine: no test compares what begins with _.
    @catch(var="_failure", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def caught(self):
        raise ValueError("each attempt fails")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.attempt = inputs.steady.attempt
        self.said = str(inputs.caught._failure).strip().splitlines()[-1]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Tried()
