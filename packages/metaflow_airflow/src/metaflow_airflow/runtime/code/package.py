"""Brings a code package to this host: download, check, unpack once, one private copy a step.

A package never changes (its name is a hash), so steps on one host share what is not theirs to
write: Metaflow itself and its compiled modules, behind a link. The flow's own files are copied.
An import package that is installed here just so is not unpacked at all, but linked. The files of a
large package are linked as well, and read-only.

    <host>/code/<sha>/files/    .mf_code/metaflow@  .mf_meta  .mf_install  train.py
    <work>/metaflow/            .mf_code@           .mf_meta  .mf_install  train.py
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...wire.task import StepTask
from ..failures import LaunchError, UnavailableError
from ..outages import delays, patience
from .download import download
from .installed import Installed, find_installed, is_unchanged

CODE_DIRECTORY = ".mf_code"
LINKED_FROM = 1000
"""Own files of a flow beyond which a step gets links to them: copies would take seconds."""

KEEP_SECONDS = 7 * 24 * 3600
"""How long a package that no step uses stays."""

_MANIFEST = "manifest.json"


def prepare_code(task: StepTask, host: Path, work: Path, say: Callable[[str], None]) -> Path:
    """Put the package into <work>/metaflow and return that folder.

    A lock that stays until this process and its forks are gone keeps the shared copy from being
    removed.

    Raises:
        LaunchError: no such package, no access, or not the one that was deployed.
        UnavailableError: the datastore cannot be reached.
    """
    store = host / "code"
    store.mkdir(mode=0o700, exist_ok=True)
    name = task.code_sha or hashlib.sha256(task.code_url.encode()).hexdigest()
    entry = store / name
    fcntl.flock(_open_lock(store / f"{name}.lock"), fcntl.LOCK_SH)
    manifest = _whole(entry)
    if manifest is None:
        unpacking = _open_lock(store / f"{name}.unpacking.lock")
        try:
            fcntl.flock(unpacking, fcntl.LOCK_EX)
            # Another launcher may have been faster, and steps read its copy by now.
            manifest = _whole(entry) or _unpack_into(task, store, entry, say)
        finally:
            os.close(unpacking)
        remove_unused(store)
    os.utime(entry)
    root = work / "metaflow"
    root.mkdir()
    put = os.link if manifest["large"] else shutil.copy2
    for source in (entry / "files").iterdir():
        target = root / source.name
        if source.name == CODE_DIRECTORY:
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True, copy_function=put)
        else:
            put(source, target)
    return root


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _whole(entry: Path) -> dict[str, Any] | None:
    """The copy's manifest, if all files are still there as they were.

    Cleaners of temp dirs take single ones, and a step that runs as root can write into them.
    """
    try:
        manifest = json.loads((entry / _MANIFEST).read_text())
        whole = all(
            _state(f"{entry}/files/{name}") == state for name, state in manifest["files"].items()
        ) and all(
            is_unchanged(each["folder"], each["files"]) for each in manifest["linked"].values()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return manifest if whole and "large" in manifest else None


def _state(path: str) -> list[int]:
    found = os.lstat(path)
    return [found.st_mtime_ns, found.st_size]


def _unpack_into(
    task: StepTask, store: Path, entry: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=store))
    try:
        archive = fresh / "package"
        _fetch(task, archive, say)
        _check_hash(task, archive)
        manifest = _extract(task, archive, fresh / "files")
        archive.unlink()
        (fresh / _MANIFEST).write_text(json.dumps(manifest))
        if entry.exists():
            entry.rename(fresh / "damaged")
        fresh.rename(entry)
        return manifest
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(entry / "damaged", ignore_errors=True)


def _fetch(task: StepTask, target: Path, say: Callable[[str], None]) -> None:
    for delay in (*delays(patience(os.environ)), None):
        try:
            download(task.datastore, task.code_url, target)
        except UnavailableError as error:
            if delay is None:
                raise
            say(f"{error} Trying again in {delay:g} s.")
            time.sleep(delay)
        else:
            return


def _check_hash(task: StepTask, archive: Path) -> None:
    """Compare with the deployment's hash; Metaflow names a package by the SHA-1 of its bytes."""
    if len(task.code_sha) != 40:
        return
    digest = hashlib.sha1(usedforsecurity=False)
    with archive.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    found = digest.hexdigest()
    if found != task.code_sha:
        raise LaunchError(
            f"The code package {task.code_url} has the hash {found}, not {task.code_sha} as "
            "deployed: it was changed or cut. Deploy the flow again."
        )


def _extract(task: StepTask, archive: Path, target: Path) -> dict[str, Any]:
    """Unpack it; what must stay as it is for the copy to be whole."""
    packing = json.loads(task.code_metadata or "{}").get("archive_format", "tgz")
    if packing != "tgz":
        raise LaunchError(
            f"The code package {task.code_url} is packed as {packing!r}; this metaflow-airflow "
            "unpacks tgz. Upgrade it where the steps run."
        )
    target.mkdir()
    try:
        linked = _untar(archive, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise LaunchError(
            f"The code package {task.code_url} cannot be unpacked into {target}: {error}."
        ) from error
    names = [
        f"{folder.removeprefix(str(target))}/{name}".lstrip("/")
        for folder, _, files in os.walk(target)
        for name in files
    ]
    own = [name for name in names if not name.startswith(f"{CODE_DIRECTORY}/")]
    large = len(own) > LINKED_FROM
    if large:
        for path in (target / name for name in own):
            # Links to one copy: no step shall write into the next one's.
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
    return {
        "files": {name: _state(f"{target}/{name}") for name in names},
        "large": large,
        "linked": {name: asdict(each) for name, each in linked.items()},
    }


def _untar(archive: Path, target: Path) -> dict[str, Installed]:
    """What is installed here is linked instead, and returned."""
    with tarfile.open(archive, "r:gz") as opened:
        installed = find_installed(opened, CODE_DIRECTORY)
        if installed or not shutil.which("tar"):
            skipped = tuple(f"{CODE_DIRECTORY}/{name}/" for name in installed)
            _extract_members(opened, target, skipped)
        else:
            _run_tar(archive, target)
    for name, each in installed.items():
        (target / CODE_DIRECTORY).mkdir(exist_ok=True)
        (target / CODE_DIRECTORY / name).symlink_to(each.folder)
    return installed


def _extract_members(opened: tarfile.TarFile, target: Path, skipped: tuple[str, ...]) -> None:
    members = [
        each for each in opened if not f"{each.name.removeprefix('./')}/".startswith(skipped)
    ]
    if hasattr(tarfile, "data_filter"):
        opened.extractall(target, members, filter="data")
    else:
        opened.extractall(target, members)  # noqa: S202 - written by Metaflow; an old Python 3.11


def _run_tar(archive: Path, target: Path) -> None:
    # For many files a fifth of the CPU of Python's own; it too leaves no path outside the target.
    command = ["tar", "-xzf", str(archive), "-C", str(target), "--no-same-owner"]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise tarfile.TarError(" ".join(done.stderr.split()))


def remove_unused(store: Path, *, dry_run: bool = False) -> int:
    """Remove packages that no step has used for long and none uses now; how many."""
    found = 0
    for entry in store.iterdir() if store.is_dir() else ():
        if entry.suffix == ".lock":
            continue
        try:
            if time.time() - entry.stat().st_mtime < KEEP_SECONDS:
                continue
            lock = _open_lock(store / f"{entry.name}.lock")
        except OSError:
            continue  # another launcher removes it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found += 1
            if not dry_run:
                shutil.rmtree(entry, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
    return found
