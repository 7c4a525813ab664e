"""Looks for secrets in all layers of an image, as `docker save` writes it, and in its description.

uv run python tests/support/layers.py IMAGE.tar [SECRET …]
"""

from __future__ import annotations

import gzip
import re
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

_HOLDS_SECRETS = re.compile(
    r"(^|/)(\.env|\.netrc|\.pypirc|\.git-credentials|\.git|id_(rsa|ecdsa|ed25519)"
    r"|kubeconfig|[\w.-]+\.kubeconfig|\.aws/credentials|\.docker/config\.json)$"
)
# In an image's description (what a build was given) and in settings of installers. Libraries'
# texts are full of examples.
_SETTINGS = re.compile(r"(^|/)(pip\.conf|uv\.toml|\.npmrc)$")
_LOGIN_IN_URL = re.compile(rb"://[^/\s:@\"]+:[^/\s:@\"]+@")
_BLOCK = 1 << 22


def told(image: Path, secrets: Iterable[str]) -> list[str]:
    """Return what was found: where, and what kind, without the secret itself."""
    wanted = [secret.encode() for secret in secrets]
    found = []
    with tarfile.open(image) as parts:
        for part in parts:
            stream = parts.extractfile(part)
            if stream is None:
                continue
            content = _unpacked(stream)
            head = content.read(512)
            content.seek(0)
            if head[257:262] == b"ustar":
                found += _in_layer(part.name, content, wanted)
                continue
            text = content.read()
            if _LOGIN_IN_URL.search(text):
                found.append(f"{part.name}: an address with a login")
            if any(secret in text for secret in wanted):
                found.append(f"{part.name}: a secret")
    return found


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """Newer engines save layers compressed."""
    start = stream.read(2)
    stream.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if start == b"\x1f\x8b" else stream


def _in_layer(layer: str, content: IO[bytes], wanted: list[bytes]) -> list[str]:
    found = []
    with tarfile.open(fileobj=content, mode="r|") as files:
        for file in files:
            if _HOLDS_SECRETS.search(file.name):
                found.append(f"{layer}: {file.name}")
            stream = files.extractfile(file) if file.isreg() else None
            if stream is None:
                continue
            before = b""
            while block := stream.read(_BLOCK):
                text = before + block
                if _SETTINGS.search(file.name) and _LOGIN_IN_URL.search(text):
                    found.append(f"{layer}: an address with a login in {file.name}")
                if any(secret in text for secret in wanted):
                    found.append(f"{layer}: a secret in {file.name}")
                before = text[-200:]
    return found


if __name__ == "__main__":
    sys.exit("\n".join(told(Path(sys.argv[1]), sys.argv[2:])) or None)
