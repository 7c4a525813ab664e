"""What happens around one step where it runs: the worker's side, the launcher, the flow's.

Standard library only: the launcher of this package also runs in a Python that has nothing but the
step's own dependencies (see launcher.py).
"""
