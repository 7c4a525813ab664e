"""Predictions as immutable versions; current.json names the newest one and comes last.

<root>/<cab>/<month>/                        production's, of real trips
<root>/branches/<branch>/<cab>/<month>/      everybody else's
<its folder>/made-up/<its name>/…            all of it of trips that never happened
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_flows import contract, dataset, storage
from ml_flows.contract import PREDICTIONS, Manifest
from ml_flows.dataset import manifest_uri
from ml_flows.errors import InputError
from ml_flows.promotion import PRODUCTION

if TYPE_CHECKING:
    import polars as pl

    from ml_flows.evaluation import Floats

PREDICTED = "predicted_minutes"
QUANTILES = ("predicted_minutes_p10", "predicted_minutes_p50", "predicted_minutes_p90")
MADE_UP = "made-up"

BATCH = 100_000
"""Trips that are predicted and written at once, whatever a month holds."""


def place(root: str, branch: str, *, made_up: bool) -> str:
    """Where a run of this branch publishes, so that nobody replaces what is production's, and
    made-up trips replace no real ones: these lie beside the features that they are of."""
    root = root.rstrip("/")
    if made_up and f"/{MADE_UP}/" not in f"{root}/":
        folder, _, name = root.rpartition("/")
        in_bucket = not folder.endswith("/")  # s3://bucket alone has no folder
        root = f"{folder}/{MADE_UP}/{name}" if in_bucket else f"{root}/{MADE_UP}"
    return root if branch == PRODUCTION else f"{root}/branches/{branch}"


def predictions(
    root: str,
    features: Manifest,
    predict: Callable[[pl.DataFrame], Floats],
    *,
    lineage: Mapping[str, Any],
) -> Manifest:
    """Predict a month and publish it as a new version, BATCH trips at a time.

    Args:
        root: the version goes to <root>/<cab>/<month>/<version>/predictions.parquet.
        features: manifest of the dataset.
        predict: gives (trips, 4) minutes: the mean, then QUANTILES.
        lineage: what made them, for the manifest and the Parquet file's own metadata.

    Returns:
        the manifest, as it stands in current.json.

    Raises:
        InputError: no bucket or no access, or trips that are not as agreed.
        StorageUnavailableError: the server does not answer.
    """
    import polars as pl

    created = datetime.now(UTC)
    folder = f"{root}/{features['cab']}/{features['month']}"
    about = {
        "features_uri": features["uri"],
        "features_version": features["version"],
        "feature_schema": contract.feature_version(features),
        "made_up": contract.made_up(features),
        **lineage,
    }
    with tempfile.TemporaryDirectory(prefix="predictions-") as directory:
        path = Path(directory) / "predictions.parquet"
        with dataset.opened(features) as source:
            trips = dataset.scan(source, str(features["uri"]))
            _write(trips, predict, path, {"ml_flows": _text(about)}, str(features["uri"]))
        written = pl.scan_parquet(path)
        rows = written.select(pl.len()).collect().item()
        if rows != features["rows"]:
            raise InputError(
                f"{features['uri']} has {rows:,} trips; its manifest says {features['rows']:,}. "
                "Publish the month again."
            )
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        version = f"{created:%Y%m%dT%H%M%S%fZ}-{digest[:8]}"
        uri = f"{folder}/{version}/predictions.parquet"
        size = path.stat().st_size
        storage.write_file(uri, path)
        columns = {name: str(dtype) for name, dtype in written.collect_schema().items()}
    manifest = {
        "contract": PREDICTIONS,
        "cab": features["cab"],
        "month": features["month"],
        "version": version,
        "uri": uri,
        "rows": rows,
        "columns": columns,
        "files": {"features": {"uri": uri, "bytes": size, "sha256": digest, "rows": rows}},
        "created": created.isoformat(),
        **about,
    }
    storage.write_json(manifest_uri(root, str(features["cab"]), str(features["month"])), manifest)
    return manifest


@contextmanager
def opened(manifest: Manifest) -> Iterator[pl.LazyFrame]:
    """A published version, to read while the block lasts.

    Raises:
        InputError: it is gone, or not what was published.
    """
    import polars as pl

    with dataset.opened(manifest) as path:
        yield pl.scan_parquet(path)


def code_version() -> str:
    """The first digits of the SHA-256 of this package's sources: there is one wherever it runs,
    installed or from a code package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _text(about: Mapping[str, Any]) -> str:
    import json

    return json.dumps(about, sort_keys=True)


def _write(
    trips: pl.LazyFrame,
    predict: Callable[[pl.DataFrame], Floats],
    path: Path,
    metadata: dict[str, str],
    uri: str,
) -> None:
    import polars as pl

    names = (PREDICTED, *QUANTILES)
    schema = pl.Schema({**trips.collect_schema(), **dict.fromkeys(names, pl.Float32())})

    def with_predictions(batch: pl.DataFrame) -> pl.DataFrame:
        if batch.is_empty():
            return batch.with_columns(pl.lit(None, pl.Float32).alias(name) for name in names)
        said = predict(batch)
        return batch.with_columns(
            pl.Series(name, said[:, at], dtype=pl.Float32) for at, name in enumerate(names)
        )

    def batches() -> Iterator[pl.DataFrame]:
        for batch in trips.collect_batches(chunk_size=BATCH, engine="streaming"):
            for name in contract.COLUMNS:
                if nulls := batch[name].null_count():
                    raise InputError(f"{uri} is not as agreed: column {name!r} has {nulls} nulls.")
            yield with_predictions(batch)

    _sink(batches(), schema, path, metadata)


def _sink(
    batches: Iterator[pl.DataFrame], schema: pl.Schema, path: Path, metadata: dict[str, str]
) -> None:
    """Write batches to one Parquet file as they come."""
    from polars.io.plugins import register_io_source

    def source(*_: Any) -> Iterator[pl.DataFrame]:
        return batches

    lazy = register_io_source(source, schema=schema)
    lazy.sink_parquet(path, metadata=metadata, row_group_size=BATCH, engine="streaming")
