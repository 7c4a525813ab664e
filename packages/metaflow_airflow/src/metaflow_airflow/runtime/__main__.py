"""`python -m metaflow_airflow.runtime`: the launcher where the bridge is installed (a pod)."""

import sys
from pathlib import Path

from .launcher import import_main

if __name__ == "__main__":
    main = import_main().main
    # The step imports the bridge that its code package brings, which may be another version.
    for name in [name for name in sys.modules if name.partition(".")[0] == "metaflow_airflow"]:
        del sys.modules[name]
    # Python puts the current folder first; the step's is another one.
    if sys.path and Path(sys.path[0]).resolve() == Path.cwd():
        del sys.path[0]
    sys.exit(main(sys.argv[1:]))
