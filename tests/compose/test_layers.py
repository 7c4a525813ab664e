"""tests/support/layers.py: the look into images' layers."""

import gzip
import io
import tarfile
from pathlib import Path

import layers
import pytest


def archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("layer", "description", "says"),
    [
        ({"a": b"nothing"}, b'{"Env": []}', []),
        ({"app/a": b"x" * (1 << 22) + b"swordfish"}, b"{}", ["a secret in app/a"]),
        ({"app/.env": b""}, b"{}", ["app/.env"]),
        ({"etc/pip.conf": b"index-url = https://host/simple"}, b"{}", []),
        (
            {"etc/pip.conf": b"index-url = https://me:word@host/simple"},
            b"{}",
            ["an address with a login in etc/pip.conf"],
        ),
        ({"a": b""}, b'{"Env": ["A=swordfish"]}', ["a secret"]),
        (
            {"a": b""},
            b'{"history": "pip --proxy http://me:word@host"}',
            ["an address with a login"],
        ),
    ],
)
def test_a_secret_is_found_wherever_it_is(
    tmp_path: Path, pack, layer: dict[str, bytes], description: bytes, says: list[str]
) -> None:
    image = tmp_path / "image.tar"
    image.write_bytes(archive(**{"layer.tar": pack(archive(**layer)), "it.json": description}))

    found = layers.told(image, ["swordfish"])

    assert [line.split(": ", 1)[1] for line in found] == says
