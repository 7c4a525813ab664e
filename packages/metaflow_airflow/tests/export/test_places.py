import os

import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.places import FolderPlace, S3Place, place_of


def test_a_file_is_replaced_at_once_and_leaves_nothing_beside_it(tmp_path):
    place = place_of(str(tmp_path))

    place.put("dag.py", "one")
    place.put("dag.py", "two")

    assert (tmp_path / "dag.py").read_text() == place.read("dag.py") == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["dag.py"]
    place.remove("dag.py")
    place.remove("dag.py")
    assert list(tmp_path.iterdir()) == []
    assert place.read("dag.py") is None


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BridgeError, match=r"no folder .*missing"):
        FolderPlace(tmp_path / "missing").check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BridgeError, match="cannot be written"):
        FolderPlace(tmp_path).check()


def test_an_s3_bundle_is_taken_apart():
    place = place_of("s3://dags/team/flows/")

    assert isinstance(place, S3Place)
    assert (place.bucket, place.prefix) == ("dags", "team/flows")


def test_a_bundle_on_s3_is_put_read_and_removed(s3_server, monkeypatch):
    import metaflow.metaflow_config

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metaflow.metaflow_config, "DATATOOLS_CLIENT_PARAMS", {})
    place = place_of(f"s3://{s3_server.bucket}/team/")

    assert place.read("dag.py") is None
    assert place.put("dag.py", "one é") == f"s3://{s3_server.bucket}/team/dag.py"
    assert place.read("dag.py") == "one é"
    assert (place.remove("dag.py"), place.remove("dag.py")) == (True, False)

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for use in (place.check, lambda: place.read("dag.py"), lambda: place.remove("dag.py")):
        with pytest.raises(BridgeError, match=r"bundle s3://trip-data/team .* refused the cred"):
            use()
