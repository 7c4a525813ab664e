"""Which datastores an export refuses, because Airflow's workers would not see them."""

from types import SimpleNamespace

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.check_datastore import check_datastore


@pytest.mark.parametrize(
    ("named", "root"),
    [
        (None, "/home/ann/flows/.metaflow"),
        ("shared", "shared/.metaflow"),
        ("/shared", "/elsewhere"),
    ],
)
def test_a_folder_that_nobody_named_is_refused(monkeypatch, named, root):
    monkeypatch.setattr("metaflow.metaflow_config.DATASTORE_SYSROOT_LOCAL", named)

    with pytest.raises(BridgeError, match=r"absolute folder .* all workers share") as refused:
        check_datastore(SimpleNamespace(TYPE="local", datastore_root=root))

    assert root in str(refused.value)


def test_a_folder_that_is_named_is_taken(monkeypatch):
    monkeypatch.setattr("metaflow.metaflow_config.DATASTORE_SYSROOT_LOCAL", "/shared/")

    check_datastore(SimpleNamespace(TYPE="local", datastore_root="/shared/.metaflow"))


@pytest.mark.parametrize(("kind", "root", "says"), [
    ("spin", "/x", "is not known to Airflow's workers"),
    ("gs", "", "set METAFLOW_DATASTORE_SYSROOT_GS"),
])  # fmt: skip
def test_others_need_a_place_that_workers_know(kind, root, says):
    with pytest.raises(BridgeError, match=says):
        check_datastore(SimpleNamespace(TYPE=kind, datastore_root=root))
