"""The code package of a flow: what travels to the steps, and how large it is."""

from __future__ import annotations

import site
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from metaflow_airflow.compat.metaflow_export import upload_package
from metaflow_airflow.errors import BridgeError

_SHOWN = 3  # of what makes a package large


@dataclass(frozen=True)
class CodePackage:
    """A code package in the datastore.

    Args:
        size: bytes, compressed. files: how many. largest: folders or files with their bytes.
        beside: modules from beside neither flow nor installed packages, which it brings too.
    """

    url: str
    sha: str
    metadata: str
    size: int
    files: int
    largest: tuple[tuple[str, int], ...]
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {_human(size)}" for name, size in self.largest)
        return f"Code package: {_human(self.size)} of {self.files:,} files; the most: {parts}."


def script_path() -> Path:
    """The flow's file; a link is followed, as Python does when it looks for modules beside it.

    Raises:
        BridgeError: it is run as a module, which finds other modules than a script does.
    """
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.parent:
        raise BridgeError(
            f"The flow runs as a module (python -m {spec.name}), but a step runs its file: "
            f"relative imports and {spec.parent} would not be found. Call python {sys.argv[0]}, "
            "with what it imports beside it or installed."
        )
    return Path(sys.argv[0]).resolve()


def make_package(obj: Any) -> CodePackage:
    """Package the flow that Metaflow's command line holds, and upload it.

    Raises:
        BridgeError: see script_path.
    """
    script = script_path()
    beside = list(_modules_beside(script.parent))
    with _without_client_checks(obj.flow), _script(script):
        package = upload_package(obj, beside)
    return CodePackage(
        url=package.url,
        sha=package.sha,
        metadata=package.metadata,
        size=package.size,
        files=len(package.files),
        largest=largest(package.files),
        beside=tuple(sorted(module.__name__ for module in beside)),
    )


def largest(names: Iterable[tuple[str, str]]) -> tuple[tuple[str, int], ...]:
    """What has most bytes, by its first folder.

    Args:
        names: path here, and path in the package.
    """
    sizes: Counter[str] = Counter()
    for path, name in names:
        file = Path(path)
        if file.is_file():
            parts = [part for part in PurePosixPath(name).parts if part != ".mf_code"]
            sizes[parts[0] + ("/" if len(parts) > 1 else "")] += file.stat().st_size
    return tuple(sizes.most_common(_SHOWN))


def _modules_beside(folder: Path) -> Iterator[ModuleType]:
    """Modules that no worker has: neither from `folder` nor of a package that is installed."""
    installed = {Path(path).resolve() for path in _installed_paths()}
    known = {*sys.stdlib_module_names, *packages_distributions(), "__main__"}
    for name, module in sorted(sys.modules.items()):
        if "." in name or name in known or hasattr(module, "METAFLOW_PACKAGE_POLICY"):
            continue
        path = _place(module)
        if path is not None and not any(
            path.is_relative_to(parent) for parent in (folder, *installed)
        ):
            yield module


def _place(module: ModuleType) -> Path | None:
    found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return Path(found).resolve() if isinstance(found, str) and Path(found).exists() else None


def _installed_paths() -> Iterator[str]:
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    for place in {*site.getsitepackages(), site.getusersitepackages()}:
        yield place
        for pth in Path(place).glob("*.pth"):
            # A line of a .pth file is a folder, or code that begins with import.
            lines = pth.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from (line for line in lines if Path(line).is_absolute())


@contextmanager
def _script(path: Path) -> Iterator[None]:
    """Let Metaflow package what lies beside the flow's file, not beside a link to it."""
    given, sys.argv[0] = sys.argv[0], str(path)
    try:
        yield
    finally:
        sys.argv[0] = given


@contextmanager
def _without_client_checks(flow: Any) -> Iterator[None]:
    """Let a flow be packaged where Kubernetes' Python client is not installed.

    @kubernetes wants it for submitting pods itself; here Airflow does that.
    """
    kept = {step: step.decorators for step in flow}
    for step, decorators in kept.items():
        step.decorators = [each for each in decorators if each.name != "kubernetes"]
    try:
        yield
    finally:
        for step, decorators in kept.items():
            step.decorators = decorators


def _human(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
