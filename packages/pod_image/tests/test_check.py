"""The self-check on this machine's own installation; in the image it is tested with Docker."""

import pytest
from pod_image import check


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch):
    for name in ("METAFLOW_DATASTORE_SYSROOT_S3", "METAFLOW_SERVICE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_what_cannot_be_imported_is_named_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(check, "packages_distributions", lambda: {"broken_module": ["x"]})

    (found,) = check.check()

    assert not found.ok
    assert str(found) == (
        "FAILED import broken_module: ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_a_bucket_and_a_service_that_do_not_answer_fail_by_their_names(monkeypatch):
    monkeypatch.setattr(check, "packages_distributions", dict)
    monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket/metaflow")
    monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("METAFLOW_SERVICE_URL", "http://127.0.0.1:9")

    s3, service = check.check()

    assert (s3.ok, service.ok) == (False, False)
    assert "s3://bucket/metaflow" in str(s3)
    assert "http://127.0.0.1:9" in str(service)
