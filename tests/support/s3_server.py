"""A pytest plugin: one real S3 server (SeaweedFS) for a session, with generated credentials."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BUCKET = "trip-data"
_READY_WITHIN = 60.0  # seconds
_PORTS = [
    f"{server}.{port}"
    for server in ("s3", "master", "volume", "filer", "admin")
    for port in ("port", "port.grpc")
]


@dataclass(frozen=True)
class S3Server:
    """Where the server listens, who may use it, and the bucket that it has."""

    url: str
    access_key: str
    secret_key: str
    bucket: str = BUCKET

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
        }

    @property
    def client(self) -> Any:
        """A client that gives up soon."""
        import boto3
        from botocore.config import Config

        return boto3.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
        )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that ends with the session."""
    with running_in(tmp_path_factory.mktemp("s3")) as server:
        yield server


@contextmanager
def running_in(
    directory: Path, others: Sequence[Any] = (), policies: Sequence[Any] = ()
) -> Iterator[S3Server]:
    """A server that keeps its data in an empty folder.

    Args:
        others: identities besides the one that may do all. policies: what they name.
    """
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (directory / "s3.json").write_text(
        json.dumps({"identities": [identity, *others], "policies": [*policies]})
    )
    (directory / "data").mkdir()
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if weed is None:
        pytest.fail("There is no weed beside this Python: run `uv sync --all-packages`.")
    ports = free_ports(len(_PORTS))
    command = [
        weed, f"-logdir={directory}", "mini", f"-dir={directory / 'data'}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-s3.config={directory / 's3.json'}", f"-bucket={BUCKET}",
        f"-filer.localSocket={directory / 'f.sock'}", f"-s3.localSocket={directory / 's.sock'}",
        "-master.telemetry=false", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0",
        # Otherwise a PUT makes a missing bucket.
        "-s3.port.lance=0", "-s3.autoCreateBucket=false",
        *(f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=True)),
    ]  # fmt: skip
    log = directory / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=directory,
            env={**os.environ, "GOMEMLIMIT": "512MiB"},
        )  # fmt: skip
    server = S3Server(f"http://127.0.0.1:{ports[0]}", access_key, secret_key)
    try:
        _wait_until_ready(server, process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_until_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    deadline, problem = time.monotonic() + _READY_WITHIN, "never asked"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.client.put_object(Bucket=server.bucket, Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError) as error:
            problem = str(error)
            time.sleep(0.1)
        else:
            return
    pytest.fail(
        f"weed was not ready (exit code {process.poll()}): {problem}\n"
        + log.read_text(errors="replace")[-2000:]
    )


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
