"""The .env of a checkout's containers, by its own tool services/env.py."""

from __future__ import annotations

import os
import runpy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from embedded.errors import StackError

from pipeline.targets.docker import SECONDS

# Lines that a file of an older version has not got yet.
_LATER = {"START_SECONDS": "600", "DOCKER_SECONDS": str(SECONDS)}


class EnvFile:
    """Passwords, keys, ports and deadlines of the containers.

    Args:
        root: of the checkout.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def path(self) -> Path:
        """Compose's own variable may name another file than .env."""
        return Path(os.environ.get("COMPOSE_ENV_FILES", self._root / ".env"))

    def complete(self) -> bool:
        """Draw what is missing; say whether something was."""
        return bool(self._tool["write"](self.path))

    def rotate(self) -> list[str]:
        """Draw all passwords and keys anew; return their names."""
        return list(self._tool["rotate"](self.path))

    def settings(self) -> dict[str, str]:
        """Return the lines; as in compose, the environment goes before them.

        Raises StackError when there is no such file.
        """
        found = self._tool["read"](self.path)
        if not found:
            raise StackError(
                f"there is no {self.path}: `stack pipeline --target compose` draws it, or "
                "`python3 services/env.py`"
            )
        return {name: os.environ.get(name, value) for name, value in (_LATER | found).items()}

    @cached_property
    def _tool(self) -> Mapping[str, Any]:
        return runpy.run_path(str(self._root / "services" / "env.py"))
