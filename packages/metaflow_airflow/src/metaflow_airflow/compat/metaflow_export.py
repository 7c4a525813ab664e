"""What an export relies on in Metaflow beyond its documentation, from 2.15 on. Read in 2.19.39."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple


def parsed_graph(flow: Any) -> Any:
    """A flow's graph as Metaflow has parsed it; steps read it as `_graph` too."""
    return flow._graph


def first_and_last(graph: Any) -> tuple[str, str]:
    """The names of a parsed graph's first and last step; older versions know no others."""
    return getattr(graph, "start_step", "start"), getattr(graph, "end_step", "end")


def attached_decorators(node: Any) -> Iterator[Any]:
    """What the command line attached to a step of a parsed graph, users' own and mutators too.

    Before 2.16 there are neither, and none says whether a mutator inserted it.
    """
    kinds = ("decorators", "wrappers", "config_decorators")
    for decorator in chain.from_iterable(getattr(node, kind, ()) for kind in kinds):
        if not decorator.statically_defined and getattr(decorator, "inserted_by", None) is None:
            yield decorator


def own_flow_decorators(flow: Any) -> Any:
    """A flow's own decorators, name -> instances; `decorators.flow_decorators` flattens them."""
    return flow._flow_decorators


def parameters(flow: Any) -> list[tuple[str, Any]]:
    """Names and objects of a flow's parameters, Configs too; no public list of them is."""
    return list(flow._get_parameters())


def config_values(flow: Any) -> dict[str, Any]:
    """A flow's Configs, name -> value; its state has with each whether it is plain text.

    Before 2.19 the state's items have another name, and the value stands alone.
    """
    from metaflow import flowspec

    items = getattr(flowspec, "FlowStateItems", None) or flowspec._FlowState
    state = flow._flow_state.get(items.CONFIGS) or {}
    return {name: said[0] if isinstance(said, tuple) else said for name, said in state.items()}


def file_encoding(kind: Any) -> str | None:
    """How the text of an IncludeFile is encoded, by its type; None for bytes.

    `_is_text` and `_encoding` of its FilePathClass are said nowhere else.
    """
    return str(kind._encoding) if kind._is_text else None


@contextmanager
def project_flow_name(name: str) -> Iterator[None]:
    """Let Metaflow take another name for that of the flow in its @project.

    `_update_env` is what @project itself sets it by.
    """
    from metaflow import current

    given = current.project_flow_name
    current._update_env({"project_flow_name": name})
    try:
        yield
    finally:
        current._update_env({"project_flow_name": given})


def commit_of(folder: Path) -> str:
    """The commit of a folder in git, and whether files differ from it; empty outside git.

    Metaflow keeps the first answer of a process for all folders; it asks for the flow's too. Early
    releases of 2.15 do not ask.
    """
    try:
        from metaflow.metaflow_git import get_repository_info
    except ImportError:
        return ""

    found = get_repository_info(str(folder))
    commit = found.get("commit_sha")
    if not commit:
        return ""
    return f"{commit}{' with changes' if found['has_uncommitted_changes'] else ''}"


class Package(NamedTuple):
    """A code package in the datastore.

    Args:
        metadata: JSON that says how it is packed. size: bytes, compressed.
        files: path here, and path in the package.
    """

    url: str
    sha: str
    metadata: str
    size: int
    files: list[tuple[str, str]]


def upload_package(obj: Any, beside: Iterable[ModuleType]) -> Package:
    """Package the flow that Metaflow's command line holds, and upload it.

    Args:
        beside: modules to bring that Metaflow does not look for.
    """
    from metaflow.package import MetaflowPackage

    for module in beside:
        # What Metaflow's packaging looks for.
        module.METAFLOW_PACKAGE_POLICY = "include"  # type: ignore[attr-defined]
    words = {"suffixes": obj.package_suffixes}
    if not hasattr(MetaflowPackage, "package_url"):
        return _upload_flat_package(obj, **words)
    made = obj.package = MetaflowPackage(
        obj.flow, obj.environment, obj.echo, flow_datastore=obj.flow_datastore, **words
    )
    return Package(
        made.package_url(),
        made.package_sha(),
        made.package_metadata,
        len(made.blob),
        list(made.path_tuples()),
    )


def _upload_flat_package(obj: Any, **words: Any) -> Package:
    """As its own schedulers do before 2.16: Metaflow lies beside the flow, and no JSON says so.

    That packaging does not look for modules that say to be included.
    """
    from metaflow import package

    class WithModules(package.MetaflowPackage):  # type: ignore[misc]
        def path_tuples(self) -> Iterator[tuple[str, str]]:
            yield from super().path_tuples()
            for name, module in sorted(sys.modules.items()):
                if "." in name or getattr(module, "METAFLOW_PACKAGE_POLICY", "") != "include":
                    continue
                if not (folders := getattr(module, "__path__", ())):
                    yield str(module.__file__), Path(str(module.__file__)).name
                for folder in folders:
                    yield from self._walk(folder, suffixes=package.METAFLOW_SUFFIXES_LIST)

    made = obj.package = WithModules(obj.flow, obj.environment, obj.echo, **words)
    url, sha = obj.flow_datastore.save_data([made.blob], len_hint=1)[0]
    packed = {"version": 0, "archive_format": "tgz", "mfcontent_version": 0}
    return Package(url, sha, json.dumps(packed), len(made.blob), list(made.path_tuples()))
