'''A flow of things that are rare but allowed: """names""", foreaches over what is no list.'''

from metaflow import FlowSpec, step


class Odd(FlowSpec):
    '''Braces {{ ds }}, {% if %}, """quotes""" and ünïcode; described in odd.md'''

    @step
    def start(self):
        """A foreach over text, right in the first step: {{ task }} and \"\"\"more\"\"\"."""
        self.letters = "hé"
        self.next(self.dag, foreach="letters")

    @step
    def dag(self):
        self.next(self.flow)

    @step
    def flow(self):
        self.letter = (self.index, self.input)
        self.next(self.start_to_flow)

    @step
    def start_to_flow(self, inputs):
        """Has the name that its body's group would have."""
        self.seen = [i.letter for i in inputs]
        self.next(self.items)

    @step
    def items(self):
        self.pairs = {0: "a", 1: "b"}
        self.next(self.pair, foreach="pairs")

    @step
    def pair(self):
        self.some = [[0], [1, 2]][self.index]
        self.next(self.part, foreach="some")

    @step
    def part(self):
        self.found = [(place, value) for place, _, value in self.foreach_stack()]
        self.next(self.parts)

    @step
    def parts(self, inputs):
        self.found = [i.found for i in inputs]
        self.next(self.exit)

    @step
    def exit(self, inputs):
        self.found = [i.found for i in inputs]
        self.next(self.params)

    @step
    def params(self):
        self.numbers = range(2)
        self.next(self.default_args, foreach="numbers")

    @step
    def default_args(self):
        self.way = "odd" if self.input % 2 else "even"
        self.next({"odd": self.same, "even": self.same, "never": self.other}, condition="way")

    @step
    def same(self):
        self.next(self.both_)

    @step
    def other(self):
        self.next(self.both_)

    @step
    def both_(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.ways = [i.way for i in inputs]
        self.merge_artifacts(inputs, exclude=["way"])
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Odd()
