"""A step as a process on a worker: its start, its output, its end."""
