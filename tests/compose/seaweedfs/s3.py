"""SeaweedFS in MinIO's place: `serve`, `ready` (health check), `init` (what init.sh does there)."""

import json
import os
import secrets
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

POLICIES = Path("/policies")
CONFIG = Path("/tmp/identities.json")
# MinIO keeps users until somebody removes them.
KEPT = Path("/data/identities.json")


def serve():
    """Become the server, with the users of the environment and the policies of the stack."""
    names = [path.stem for path in sorted(POLICIES.glob("*.json"))]
    users = [(n, n.upper().replace("-", "_")) for n in names]
    identities = [
        identity("root", os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"])
        | {"actions": ["Admin"]}
    ] + [
        identity(n, os.environ[f"{v}_S3_KEY"], os.environ[f"{v}_S3_SECRET"]) | {"policyNames": [n]}
        for n, v in users
    ]
    before = os.environ["S3_KEYS_BEFORE"].split(":")
    for each in json.loads(KEPT.read_text()) if KEPT.exists() else ():
        if each["credentials"][0]["accessKey"] in before:
            identities.append(each | {"name": f"{each['name']}-before"})
    KEPT.touch(mode=0o600)
    KEPT.write_text(json.dumps(identities))
    policies = [{"name": n, "content": (POLICIES / f"{n}.json").read_text()} for n in names]
    CONFIG.touch(mode=0o600)
    CONFIG.write_text(json.dumps({"identities": identities, "policies": policies}))
    for name in ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ"):
        os.environ[f"WEED_JWT_{name}_KEY"] = secrets.token_hex(32)
    options = [
        "-dir=/data", "-ip.bind=0.0.0.0", "-s3.port=9000",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false",
        "-master.telemetry=false", "-s3.iam=false", "-s3.autoCreateBucket=false",
        "-master.resumeState=false", "-master.volumeSizeLimitMB=256",
        "-volume.preStopSeconds=0", f"-s3.config={CONFIG}",
    ]  # fmt: skip
    os.execvp("weed", ["weed", "mini", *options])  # noqa: S606


def identity(name, key, secret):
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": []}


def client(url):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id=os.environ["MINIO_ROOT_USER"],
        aws_secret_access_key=os.environ["MINIO_ROOT_PASSWORD"],
        config=Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 1}),
    )  # fmt: skip


def ready():
    """Fail unless an object can be written and read."""
    s3 = client("http://127.0.0.1:9000")
    if "ready" not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket="ready")
    s3.put_object(Bucket="ready", Key="ready", Body=b"ready")
    s3.get_object(Bucket="ready", Key="ready")["Body"].read()


def init():
    """Make buckets, versioning and the first object of each DAG bundle."""
    s3 = client("http://minio:9000")
    there = {b["Name"] for b in s3.list_buckets()["Buckets"]}
    for bucket in ("trip-data", "metaflow", "dags"):
        if bucket not in there:
            s3.create_bucket(Bucket=bucket)
        status = "Suspended" if bucket == "metaflow" else "Enabled"
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    for bundle in ("data_engineering", "flows"):
        try:
            s3.put_object(
                Bucket="dags", Key=f"{bundle}/bundle.json", Body=b'{"format": 1}', IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise


if __name__ == "__main__":
    {"serve": serve, "ready": ready, "init": init}[(sys.argv[1:] or ["serve"])[0]]()
