import sys
from types import ModuleType

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.check_hooks import check_hooks


@pytest.fixture(autouse=True)
def main(monkeypatch):
    """The flow's own file."""
    module = ModuleType("__main__")
    module.mourn = lambda: None  # type: ignore[attr-defined]
    module.NUMBER = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", module)


def test_functions_of_the_flows_file_and_of_modules_are_found():
    check_hooks(["mourn", "json.dumps", "os.path.join"])


@pytest.mark.parametrize(
    "name", ["<lambda>", "outer.<locals>.inner", "nowhere.page", "absent", "NUMBER", "json.absent"]
)
def test_what_is_not_found_again_is_refused_by_its_name(name):
    with pytest.raises(BridgeError, match=f"will not find the function {name}"):
        check_hooks(["mourn", name])
