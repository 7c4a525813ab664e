"""What a step's container runs. Pure."""

from __future__ import annotations

import shlex

from metaflow_airflow.wire.task import StepTask

TASK_VARIABLE = "METAFLOW_AIRFLOW_STEP_TASK"
RUNTIME_VARIABLE = "METAFLOW_AIRFLOW_RUNTIME"
"""Set by an image that carries the launcher."""

TERMINATION_LOG = "/dev/termination-log"
_ARGUMENTS = f"--task env:{TASK_VARIABLE} --result {TERMINATION_LOG}"

_DOWNLOAD = """\
import boto3, hashlib, os, sys
bucket, key, sha = sys.argv[1:]
client = boto3.client("s3", endpoint_url=os.environ.get("METAFLOW_S3_ENDPOINT_URL") or None)
client.download_file(bucket, key, "package.tgz")
found = hashlib.sha1(open("package.tgz", "rb").read(), usedforsecurity=False).hexdigest()
if found != sha:
    print(
        f"The code package s3://{bucket}/{key} has the hash {found}, not {sha} as deployed: it was"
        " changed or cut. Deploy the flow again.", file=sys.stderr
    )
    sys.exit(78)
"""


def container_command(task: StepTask) -> list[str]:
    """Command of the container: the image's own launcher, else the code package's.

    Any image with Python, sh and tar will do: like upstream's start, it installs what reading the
    datastore needs, and takes all else from the code package, which brings the launcher along.
    """
    lines = [
        f'if [ -n "${RUNTIME_VARIABLE}" ]; then',
        f"  exec python -m metaflow_airflow.runtime {_ARGUMENTS}",
        "fi",
        *_from_package(task),
    ]
    return ["sh", "-c", "\n".join(lines)]


def _from_package(task: StepTask) -> list[str]:
    bucket, _, key = task.code_url.removeprefix("s3://").partition("/")
    if task.datastore != "s3":
        return [
            f"echo 'This image has no metaflow-airflow, which the datastore {task.datastore} "
            "needs: build the step image on pod_image.' >&2",
            "exit 78",
        ]
    endpoint = task.defaults.get("METAFLOW_S3_ENDPOINT_URL")
    export = f"export METAFLOW_S3_ENDPOINT_URL={shlex.quote(endpoint)}" if endpoint else ":"
    return [
        "set -e",
        f'[ -n "$METAFLOW_S3_ENDPOINT_URL" ] || {export}',
        'folder="$(mktemp -d)" && cd "$folder"',
        'if [ -z "$METAFLOW_SKIP_INSTALL_DEPENDENCIES" ]; then',
        "  python -m pip install -qqq --no-compile --no-cache-dir --disable-pip-version-check"
        ' --target "$folder/installed" boto3 requests',
        '  export PYTHONPATH="$folder/installed${PYTHONPATH:+:$PYTHONPATH}"',
        "fi",
        shlex.join(["python", "-c", _DOWNLOAD, bucket, key, task.code_sha]),
        # Nothing of it runs before it is known to be what was deployed.
        "tar -xzf package.tgz && rm package.tgz",
        f"exec python .mf_code/metaflow_airflow/runtime/launcher.py {_ARGUMENTS}",
    ]
