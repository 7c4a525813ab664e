"""`pod-image build` where the workspace is, `pod-image check` inside the image."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pod_image.build import BuildError, build, default_tag
from pod_image.check import check


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="pod-image", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="build the image with Docker")
    builder.add_argument("--tag", default=default_tag(), help="name of the image (%(default)s)")
    builder.add_argument("--python-image", help="base image, where the default is not to be had")
    commands.add_parser(
        "check", help="import everything that is installed, reach S3 and the metadata service"
    )
    options = parser.parse_args(arguments)
    if options.command == "check":
        found = check()
        for finding in found:
            print(finding)
        return int(not all(finding.ok for finding in found))
    try:
        build(options.tag, options.python_image)
    except BuildError as error:
        sys.stderr.write(f"pod-image: {error}\n")
        return 1
    print(f"built {options.tag}; check it with: docker run --rm {options.tag}")
    return 0
