import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from embedded import checks
from embedded.checks import check_space
from embedded.errors import StackError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of the given options; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_with_too_little_room_is_named(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("size=4m")

    with pytest.raises(StackError, match=rf"too full for the state directory {folder}: 4 MiB free"):
        check_space(folder, first=True)


def test_a_later_start_needs_less(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk(f"size={checks.LATER_START + checks.MIB}")

    check_space(folder, first=False)
    with pytest.raises(StackError, match="2048 MiB needed"):
        check_space(folder, first=True)


def test_a_disk_that_can_hold_no_more_files_is_named(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("size=3g,nr_inodes=500")

    with pytest.raises(StackError, match="has room for 499 more files only"):
        check_space(folder, first=True)


def test_the_real_disk_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize

    check_space(tmp_path, first=True)
    monkeypatch.setattr(checks, "FIRST_START", free * 2)
    with pytest.raises(StackError, match="Nothing was started"):
        check_space(tmp_path, first=True)
