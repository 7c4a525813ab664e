"""What versions there are, how large, and who names them; and the removal of old ones."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from data_engineering.contract.months import CABS
from data_engineering.errors import BadInputError
from data_engineering.publish.catalogue import SWEPT, month_folder, read_manifest
from data_engineering.publish.manifest import Manifest, is_version
from data_engineering.storage.objects import Stat, Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """A version as it lies there.

    `state` is current, held, old, or unfinished; `bytes` are of all its files; `named_in` are the
    manifests of others that name it: later months' history, and predictions.
    """

    cab: str
    month: str
    name: str
    state: str
    rows: int
    bytes: int
    sha256: str = ""
    named_in: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The key of the folder that its files are in."""
        return f"{month_folder(self.cab, self.month)}/{self.name}"


def list_versions(storage: Storage, cabs: Sequence[str] = CABS) -> list[Version]:
    """Return all versions, by cab, month and age, the newest first."""
    found = []
    named = _manifests(storage)
    for cab in cabs:
        for month in storage.folders(f"features/{cab}"):
            found += _of_month(storage, cab, month, named)
    return found


def prune(storage: Storage, keep: int, cabs: Sequence[str], *, dry_run: bool) -> list[Version]:
    """Remove versions beyond the `keep` newest of each month; return them.

    The current version, one held back, and those that predictions name stay. A raw file goes
    with the last version that was made of it.

    Raises:
        BadInputError: `keep` is less than 1.
    """
    if keep < 1:
        raise BadInputError(
            f"keep is {keep}: it must be 1 or more, as readers read the current one"
        )
    versions = list_versions(storage, cabs)
    months: dict[tuple[str, str], list[Version]] = {}
    for version in versions:
        if version.state != "unfinished":  # a publisher may be at work; the next one sweeps
            months.setdefault((version.cab, version.month), []).append(version)
    removed = [
        version
        for each in months.values()
        for version in each[keep:]
        if version.state == "old" and not any("predictions/" in name for name in version.named_in)
    ]
    if not dry_run:
        for version in removed:
            _remove(storage, version)
        _remove_raw(storage, removed, [each for each in versions if each not in removed])
    return removed


def _of_month(storage: Storage, cab: str, month: str, named: dict[str, Manifest]) -> list[Version]:
    base = month_folder(cab, month)
    objects = storage.stats(base)
    folders: dict[str, dict[str, Stat]] = {}
    for key, stat in objects.items():
        name = key.removeprefix(f"{base}/").partition("/")[0]
        if is_version(name):
            folders.setdefault(name, {})[key] = stat
    shown = {
        state: (read_manifest(storage, f"{base}/{file}") or {}).get("version")
        for state, file in (("current", "current.json"), ("held", "held.json"))
    }
    found = []
    for name in sorted(folders, reverse=True):
        content = read_manifest(storage, f"{base}/{name}/dataset.json")
        whole = content is not None and content != SWEPT
        state = next((state for state, version in shown.items() if version == name), "old")
        found.append(
            Version(
                cab, month, name, state if whole else "unfinished",
                rows=content["rows"] if whole and content else 0,
                bytes=sum(stat.size for stat in folders[name].values()),
                sha256=content["sha256"] if whole and content else "",
                named_in=sorted(
                    key for key, text in named.items()
                    if not key.startswith(f"{base}/") and name in str(text)
                ),
            )
        )  # fmt: skip
    return found


def _manifests(storage: Storage) -> dict[str, Manifest]:
    """Return the current manifests of features and of predictions, by key."""
    keys: Iterable[str] = [*storage.keys("features"), *storage.keys("predictions")]
    found = {key: read_manifest(storage, key) for key in keys if key.endswith("/current.json")}
    return {key: content for key, content in found.items() if content is not None}


def _remove(storage: Storage, version: Version) -> None:
    log.info("Removing %s", storage.uri(version.folder))
    # First what says that it is whole: what a kill leaves is unfinished, and swept later.
    storage.delete(f"{version.folder}/dataset.json")
    storage.delete_all(version.folder)


def _remove_raw(storage: Storage, removed: list[Version], left: list[Version]) -> None:
    needed = {(each.cab, each.month, each.sha256[:16]) for each in left}
    for version in removed:
        if (version.cab, version.month, version.sha256[:16]) in needed:
            continue
        folder = f"raw/{version.cab}/{version.month}"
        for key in storage.keys(folder):
            if key.startswith(f"{folder}/{version.sha256[:16]}."):
                storage.delete(key)
