"""Tries what each S3 user may do at each place: list, read, write, delete.

    uv run python tests/security/s3_cells.py

prints the table of docs/security.md as a server with the policies of services/minio has it.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "services" / "minio" / "policies"
NOBODY = "nobody"
_REFUSED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


def client(url: str, key: str, secret: str) -> Any:
    """Return a client that gives up soon."""
    return boto3.Session(key, secret, region_name="us-east-1").client(
        "s3",
        endpoint_url=url,
        config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2}),
    )


def tried(root: Any, users: Mapping[str, Any], places: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return by (user, place) the letters of what went well: l, r, w, d; "-" for nothing.

    Args:
        root: a client that may do all. users: clients by name. places: bucket/prefix.
    """
    return {
        (user, place): _letters(root, each, *place.split("/", 1)) or "-"
        for user, each in users.items()
        for place in places
    }


def _letters(root: Any, user: Any, bucket: str, prefix: str = "") -> str:
    name = f"{prefix}/security-{secrets.token_hex(8)}".lstrip("/")
    there = {"Bucket": bucket, "Key": name}
    root.put_object(**there, Body=b"as it was")
    try:
        found = ""
        if _goes(lambda: user.list_objects_v2(Bucket=bucket, Prefix=prefix)):
            found += "l"
        if _goes(lambda: user.get_object(**there)["Body"].read()):
            found += "r"
        if _goes(lambda: user.put_object(**there, Body=b"changed")):
            found += "w"
        # What an answer says is not what was done.
        assert (root.get_object(**there)["Body"].read() == b"changed") == ("w" in found)
        if _goes(lambda: user.delete_object(**there)):
            found += "d"
        assert _goes(lambda: root.head_object(**there)) == ("d" not in found)
        return found
    finally:
        root.delete_object(**there)


def _goes(action: Callable[[], object]) -> bool:
    try:
        action()
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSED | {"404"}:
            return False
        raise
    return True


@contextmanager
def server() -> Iterator[tuple[Any, dict[str, Any]]]:
    """A server with the policies of services/minio: a client that may do all, and each user's."""
    from s3_server import running_in

    names = sorted(path.stem for path in POLICIES.glob("*.json"))
    keys = {name: (secrets.token_hex(10), secrets.token_hex(20)) for name in names}
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": [],
            "policyNames": [name],
        }
        for name, (key, secret) in keys.items()
    ]
    policies = [{"name": n, "content": (POLICIES / f"{n}.json").read_text()} for n in names]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_in(Path(folder), identities, policies) as made,
    ):
        for bucket in ("metaflow", "dags"):
            made.client.create_bucket(Bucket=bucket)
        users = {name: client(made.url, *each) for name, each in keys.items()}
        users[NOBODY] = client(made.url, secrets.token_hex(10), secrets.token_hex(20))
        yield made.client, users


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from documented import printed, table

    places = list(dict.fromkeys(place for _, place in table("S3 user")))
    with server() as (root, users):
        print(printed("S3 user", tried(root, users, [p.strip("`") for p in places])))


if __name__ == "__main__":
    main()
