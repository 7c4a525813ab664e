"""Puts top_level.txt into the wheel: by it Metaflow tells an installed extension from a folder."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import (  # type: ignore[import-not-found]
    BuildHookInterface,
)


class TopLevel(BuildHookInterface):  # type: ignore[misc]
    """Without that file, --environment=uv stumbles over an extension that has no name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to the wheel's metadata."""
        folder = f"{self.metadata.name.replace('-', '_')}-{self.metadata.version}.dist-info"
        build_data["force_include"]["top_level.txt"] = f"{folder}/top_level.txt"
