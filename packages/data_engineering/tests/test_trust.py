"""S3 and downloads over TLS, with a certificate of the company's own authority."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from data_engineering.cli import main
from s3_server import S3Server

from .test_publishers_killed import Proxy
from .trips_files import table, whole_month, write

_OWN = "subjectAltName=IP:127.0.0.1,DNS:localhost"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority (ca.pem) and a certificate of it for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for command in (
        [*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=own-ca"],
        [*new, "-keyout", "s3.key", "-out", "s3.pem", "-subj", "/CN=127.0.0.1", "-x509",
         "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", _OWN,
         "-addext", "basicConstraints=critical,CA:FALSE"],
    ):  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


class TlsProxy(Proxy):
    """Takes connections over TLS and passes them on without."""

    def __init__(self, target: str, folder: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "s3.pem", folder / "s3.key")
        super().__init__(target)
        self.url = self.url.replace("http:", "https:")

    def _passed(self, inner: socket.socket) -> None:
        try:
            wrapped = self._context.wrap_socket(inner, server_side=True)
        except OSError:
            return  # the client did not trust us
        super()._passed(wrapped)


@pytest.fixture
def tls(s3: S3Server, authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the environment name the S3 server by https."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with closing(TlsProxy(s3.url, authority)) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running.url


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_one_variable_names_the_authority_for_all(
    tls: str,
    s3: S3Server,
    authority: Path,
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, str(authority / "ca.pem"))
    source = str(write(tmp_path, table(whole_month())))
    root = f"s3://{s3.bucket}/{tmp_path.name}"
    assert main(["--source", source, "--root", root]) == 0
    # Listing, and a source in S3.
    assert main(["list", "--root", root]) == 0
    assert main(["--source", f"{root}/nothing", "--root", root]) == 1


def test_an_authority_that_nobody_named_is_a_matter_of_certificates(
    tls: str, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(write(tmp_path, table(whole_month())))
    assert main(["--source", source, "--root", f"s3://{s3.bucket}/x"]) == 1
    said = capsys.readouterr().err
    assert f"the S3 server {tls}: its certificate is of no authority that we trust" in said
    assert "SSL_CERT_FILE" in said


def test_downloads_ask_the_same_variable(
    tls: str, authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = ["--source", f"{tls}/trips", "--root", str(tmp_path / "out")]
    assert main(given) == 1
    assert "its certificate is of no authority that we trust" in capsys.readouterr().err
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    assert main(given) == 1
    assert "green_tripdata_2024-01.parquet answers 40" in capsys.readouterr().err
