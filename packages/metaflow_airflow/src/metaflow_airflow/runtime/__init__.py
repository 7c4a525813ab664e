"""What happens around one step: ids, the description of an attempt, its process.

Standard library only: the launcher of this package also runs in a Python that has nothing but the
step's own dependencies (see launcher.py).
"""
