"""The supervisor as a program in the background, with the state directory for its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from pathlib import Path

from embedded import processes
from embedded.environment import STEP_UMASK
from embedded.state import State
from embedded.supervisor import Supervisor


def main() -> None:
    """Run the supervisor of the state directory given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    state = State.at(parser.parse_args().state)
    # The state is its owner's alone; what steps write is as open as the owner's other files.
    os.environ[STEP_UMASK] = f"{os.umask(0o077):03o}"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    processes.become_subreaper()
    with state.lock("supervisor", wait=5):
        asyncio.run(Supervisor(state).run())


if __name__ == "__main__":
    main()
