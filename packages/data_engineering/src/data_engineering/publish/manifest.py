"""What a published version says of itself: dataset.json and current.json. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from data_engineering.contract.frames import VERSION, column_types, described
from data_engineering.contract.reasons import REASONS
from data_engineering.publish.build import Built
from data_engineering.trips.columns import Columns

Manifest = dict[str, Any]

TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Provenance:
    """Which input a dataset was made of: kind of source, its URI, and the file's SHA-256.

    `source_tag` is what its server calls that very content, or empty.
    """

    source: str
    source_uri: str
    sha256: str
    source_tag: str = ""

    @property
    def made_up(self) -> bool:
        """Whether these trips never happened."""
        return self.source == "generator"


def made_from(made_of: Provenance, history: Sequence[Mapping[str, str]]) -> str:
    """Return a hash of all that a version's rows follow from: input, contract and history."""
    parts = [described(), list(REASONS.items()), made_of.sha256, list(map(dict, history))]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def version_name(made: datetime, made_from: str) -> str:
    """Return a version's name: UTC time, and the hash of what it was made from."""
    return f"{made.strftime(TIME)}-{made_from}"


def is_version(name: str) -> bool:
    """Tell whether a folder's name is a version's."""
    try:
        datetime.strptime(name.partition("-")[0], TIME)
    except ValueError:
        return False
    return True


def is_made_from(manifest: Manifest | None, made_from: str) -> bool:
    """Tell whether a version has the very rows that would be made now."""
    return manifest is not None and str(manifest["version"]).endswith(f"-{made_from}")


def manifest(
    *,
    cab: str,
    month: str,
    version: str,
    made: datetime,
    made_of: Provenance,
    built: Built,
    columns: Columns,
    schema_uri: str,
    history: Sequence[Mapping[str, str]],
) -> Manifest:
    """Return the manifest of a version."""
    tally = built.tally
    features = built.files["features"]
    return {
        "contract": VERSION,
        "cab": cab,
        "month": month,
        "version": version,
        "uri": features.uri,
        "rows": features.rows,
        "made_up": made_of.made_up,
        **tally.counts(),
        **asdict(made_of),
        "created": made.isoformat(),
        "files": {name: facts.as_dict() for name, facts in built.files.items()},
        "schema": {"version": VERSION, "uri": schema_uri},
        "columns": column_types(),
        "history": list(history),
        "input": {
            "columns": dict(columns.used),
            "unknown": columns.unknown,
            "renamed": columns.renamed,
            "retyped": columns.retyped,
        },
        "reasons": {
            name: {
                "rows": tally.dirt[name],
                "only": tally.only[name],
                "meaning": meaning,
                "examples": built.examples[name],
            }
            for name, meaning in REASONS.items()
        },
    }


def encoded(content: Any) -> bytes:
    """Return it as the bytes of a JSON file."""
    return json.dumps(content, indent=1, allow_nan=False).encode()
