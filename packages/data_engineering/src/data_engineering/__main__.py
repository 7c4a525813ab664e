"""`python -m data_engineering`: the DAG's work without Airflow, and the care of what it made."""

from __future__ import annotations

import sys

from data_engineering.cli import main

if __name__ == "__main__":
    sys.exit(main())
