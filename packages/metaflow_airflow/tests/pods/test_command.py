"""What a container does before a step, in a shell and against a real S3 server."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from metaflow_airflow.pods.command import container_command
from s3_server import S3Server

from .test_payload import task

LAUNCHER = ".mf_code/metaflow_airflow/runtime/launcher.py"


def package(text: str) -> bytes:
    """A code package whose launcher is this text."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo(LAUNCHER)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.mark.parametrize("changed", [False, True])
def test_nothing_of_a_package_runs_that_is_not_what_was_deployed(
    s3_server: S3Server, tmp_path: Path, changed: bool
) -> None:
    deployed, other = package("print('as deployed')"), package("print('somebody else')")
    stored = other if changed else deployed
    s3_server.client.put_object(Bucket=s3_server.bucket, Key="code/package", Body=stored)
    command = container_command(
        task(
            datastore="s3",
            code_url=f"s3://{s3_server.bucket}/code/package",
            code_sha=hashlib.sha1(deployed, usedforsecurity=False).hexdigest(),
        )
    )

    done = subprocess.run(
        command,
        env={
            **s3_server.environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "METAFLOW_S3_ENDPOINT_URL": s3_server.url,
            "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",
            "TMPDIR": str(tmp_path),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    if changed:
        assert (done.returncode, done.stdout) == (78, "")
        assert "as deployed: it was changed or cut. Deploy the flow again." in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, "as deployed\n"), done.stderr
