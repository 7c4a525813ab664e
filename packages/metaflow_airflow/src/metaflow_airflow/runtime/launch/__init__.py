"""The launcher: prepares a step, forks it, keeps its logs, judges its end."""
