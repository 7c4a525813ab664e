"""Removes what steps left on this host: `python -m metaflow_airflow.runtime.clean [--dry-run]`.

Launchers do it too, when the next step of this user begins here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .code.package import remove_unused
from .launch.host_folder import host_directory
from .launch.step_folder import remove_abandoned


def main(arguments: Sequence[str] | None = None) -> None:
    """Remove folders of launchers that were killed, and packages that no step used for a week."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    dry_run = bool(parser.parse_args(arguments).dry_run)
    host = host_directory()
    folders = remove_abandoned(host, dry_run=dry_run)
    packages = remove_unused(host / "code", dry_run=dry_run)
    would = "would be removed" if dry_run else "removed"
    print(f"{folders} folders of killed steps and {packages} unpacked packages {would} in {host}")


if __name__ == "__main__":
    main()
