"""One variable names the caller's certificate authority for every library: a real S3 server."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded.caller import environment as of_caller
from embedded.ports import HOST, assign
from embedded.servers.authority import issue
from embedded.servers.seaweedfs import BUCKETS, SeaweedFS
from embedded.state import State

from .servers import environment, started

CLIENTS = """
import json, sys
import boto3, httpx, polars, requests

url, bucket, key, secret = sys.argv[1:]
login = {"aws_access_key_id": key, "aws_secret_access_key": secret}
s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **login)
options = login | {"aws_endpoint_url": url, "aws_region": "us-east-1"}
file = f"s3://{bucket}/trips.parquet"
polars.LazyFrame({"trip": [1, 2]}).sink_parquet(file, storage_options=options)
print(json.dumps({
    "boto3": bucket in [each["Name"] for each in s3.list_buckets()["Buckets"]],
    "polars": polars.scan_parquet(file, storage_options=options).collect().height == 2,
    "requests": requests.get(f"{url}/status").ok,
    "httpx": httpx.get(f"{url}/status").is_success,
}))
"""


class OverTls(SeaweedFS):
    """The server with a port for TLS beside its own."""

    tls: int
    authority: Path

    def _options(self) -> list[str]:
        own = issue(self.data / "company", "s3")
        self.authority = own.authority
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.tls = free.getsockname()[1]
        files = [f"-s3.cert.file={own.certificate}", f"-s3.key.file={own.key}"]
        return [*super()._options(), f"-s3.port.https={self.tls}", *files]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OverTls]:
    state = State.at(tmp_path / "state")
    state.create()
    ports = {name: port for name, port in assign({}, {}).items() if name.startswith("s3")}
    made = OverTls(
        data=state.folder("s3"), ports=ports, log=state.log("s3"),
        credentials=state.credentials()["s3"], env=environment(state.root),
    )  # fmt: skip
    with started(made):
        yield made


def test_one_variable_counts_for_every_library(server: OverTls) -> None:
    env, notes = of_caller({"SSL_CERT_FILE": str(server.authority), "HOME": str(server.data)})
    login = server._credentials

    done = subprocess.run(
        [sys.executable, "-c", CLIENTS, f"https://{HOST}:{server.tls}", BUCKETS[0],
         login["access_key_id"], login["secret_access_key"]],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert notes == []
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(("boto3", "polars", "requests", "httpx"), True)
