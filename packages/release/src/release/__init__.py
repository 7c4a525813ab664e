"""Releases: each team's part of the workspace by its own tags."""
