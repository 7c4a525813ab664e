"""The life of a step's pod, from its description to the sentence that says how it ended."""
