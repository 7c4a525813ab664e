"""`python -m metaflow_airflow.runtime`: the launcher where the bridge is installed (a pod)."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
