"""Runs one attempt of one step: `python …/runtime/launcher.py --task FILE`.

An Airflow worker starts this file by its path, with the Python that has the step's dependencies:
another Python than the one that this package is installed in. So nothing beside the package may
become importable here, and no module of it may stand in the way of one of the step's.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_NAME = "_metaflow_airflow"


def import_main() -> ModuleType:
    """The launcher's program, with the bridge as a package of a name of its own."""
    folder = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a Python package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = package
    spec.loader.exec_module(package)
    return importlib.import_module(f"{_NAME}.runtime.launch.command_line")


if __name__ == "__main__":
    # Python puts the script's folder first; its modules are not the flow's.
    if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
        del sys.path[0]
    sys.exit(import_main().main(sys.argv[1:]))
