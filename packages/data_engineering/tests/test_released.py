"""What the package says of its release, with real git."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from data_engineering.released import PUBLISHED, released


class Checkout:
    """A workspace in git with one part, trip-data."""

    def __init__(self, root: Path) -> None:
        self.root, self.part = root, root / "packages" / "trip_data"
        self.package = self.part / "src" / "trip_data"
        self.package.mkdir(parents=True)
        (self.part / "pyproject.toml").touch()
        self.git("init", "--quiet")

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=ann", "-c", "user.email=ann@example"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, path: Path, text: str) -> str:
        path.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "--short", "HEAD")

    def says(self) -> str:
        return released.__wrapped__(self.package)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_checkout_says_the_release_and_what_came_after(checkout: Checkout) -> None:
    first = checkout.commit(checkout.package / "a.py", "1")
    assert checkout.says() == f"trip-data-{first}"

    checkout.git("tag", "trip-data-v1.2.0")
    checkout.commit(checkout.root / "of-others", "2")
    checkout.git("tag", "other-part-v9.0.0")
    assert checkout.says() == "trip-data-1.2.0", "others' commits and tags are theirs"

    third = checkout.commit(checkout.package / "a.py", "3")
    assert checkout.says() == f"trip-data-1.2.0-2-g{third}"

    (checkout.package / "a.py").write_text("4")
    assert checkout.says() == f"trip-data-1.2.0-2-g{third}-dirty"


def test_without_git_the_file_says_it_or_what_is_installed(tmp_path: Path) -> None:
    package = tmp_path / "data_engineering"
    package.mkdir()
    assert released(package) == f"data-engineering-{version('data-engineering')}"
    assert released(tmp_path / "nobody_knows") == "nobody-knows"

    (package / PUBLISHED).write_text("data-engineering-1.1.0\n")
    assert released.__wrapped__(package) == "data-engineering-1.1.0"
