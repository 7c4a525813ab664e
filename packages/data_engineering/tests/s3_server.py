"""A real S3 server (SeaweedFS) for a test session, with generated credentials."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_DEADLINE = 60.0


@dataclass(frozen=True)
class S3Server:
    """Where the server listens, who may use it, and the bucket that it has."""

    url: str
    access_key: str
    secret_key: str
    bucket: str

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


@contextmanager
def s3_server(directory: Path, bucket: str = "trip-data") -> Iterator[S3Server]:
    """Run `weed mini` in directory until the block ends.

    Raises:
        RuntimeError: it did not become ready; with the end of its log.
    """
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    config = directory / "s3.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "tests",
                        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
                        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    }
                ]
            }
        )
    )
    (directory / "data").mkdir()
    ports = free_ports(10)
    names = [
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port",
        "s3.port.grpc",
        "admin.port",
        "admin.port.grpc",
    ]
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if weed is None:
        raise RuntimeError("No weed beside this Python: run `uv sync --all-packages`.")
    log = directory / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                weed,
                f"-logdir={directory}",
                "mini",
                f"-dir={directory / 'data'}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-s3.config={config}",
                f"-bucket={bucket}",
                f"-filer.localSocket={directory / 'filer.sock'}",
                f"-s3.localSocket={directory / 's3.sock'}",
                "-master.telemetry=false",
                "-admin.ui=false",
                "-webdav=false",
                # Otherwise a PUT makes a missing bucket.
                "-s3.autoCreateBucket=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "GOMEMLIMIT": "512MiB"},
            cwd=directory,
        )
    server = S3Server(f"http://127.0.0.1:{ports[6]}", access_key, secret_key, bucket)
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
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0}),
    )
    deadline = time.monotonic() + READY_DEADLINE
    problem = "never asked"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            problem = f"it ended with exit code {process.returncode}"
            break
        try:
            client.put_object(Bucket=server.bucket, Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError) as error:
            problem = str(error)
            time.sleep(0.1)
        else:
            return
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"weed was not ready after {READY_DEADLINE:.0f} s: {problem}\n{tail}")


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
