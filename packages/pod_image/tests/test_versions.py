"""The image's name and its labels say one version; what Docker makes of them: test_image.py."""

import subprocess
from pathlib import Path

from pod_image.build import build_arguments, default_tag


def test_the_name_is_that_of_the_label():
    name, _, tag = default_tag().partition(":")

    assert (name, tag) == ("platform/pod", build_arguments()["VERSION"].replace("+", "-"))


def test_the_revision_is_the_commit():
    head = subprocess.run(
        ["git", "-C", Path(__file__).parent, "rev-parse", "HEAD"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip

    assert build_arguments()["REVISION"].removesuffix("-dirty") == head
