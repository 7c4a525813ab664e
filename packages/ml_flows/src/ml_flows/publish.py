"""Predictions as immutable versions in S3; current.json names the newest one and comes last."""

from __future__ import annotations

import hashlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_flows import storage
from ml_flows.dataset import CONTRACT, Manifest, manifest_uri
from ml_flows.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from ml_flows.metrics import Floats

PREDICTED = "predicted_minutes"


def predictions(
    root: str,
    trips: pl.DataFrame,
    predicted: Floats,
    *,
    features: Manifest,
    training_run: str,
    run: str,
) -> Manifest:
    """Publish predictions of a month as a new version.

    Args:
        root: s3://…; the version goes to <root>/<cab>/<month>/<version>/predictions.parquet.
        trips: as dataset.read() gives them. predicted: (trips,) minutes.
        features: manifest of the dataset. training_run, run: pathspecs, for whoever asks later.

    Returns:
        the manifest, as it stands in current.json.

    Raises:
        InputError: no bucket or no access. StorageUnavailableError: the server does not answer.
    """
    import polars as pl

    created = datetime.now(UTC)
    table = trips.with_columns(pl.Series(PREDICTED, predicted, dtype=pl.Float32))
    folder = f"{root.rstrip('/')}/{features['cab']}/{features['month']}"
    with tempfile.TemporaryDirectory(prefix="predictions-") as directory:
        path = Path(directory) / "predictions.parquet"
        table.write_parquet(path, compression="zstd")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        version = f"{created:%Y%m%dT%H%M%S%fZ}-{digest[:8]}"
        uri = f"{folder}/{version}/predictions.parquet"
        storage.write_file(uri, path)
    manifest = {
        "contract": CONTRACT,
        "cab": features["cab"],
        "month": features["month"],
        "version": version,
        "uri": uri,
        "rows": table.height,
        "columns": {name: str(dtype) for name, dtype in table.schema.items()},
        "created": created.isoformat(),
        "features_uri": features["uri"],
        "features_version": features["version"],
        "training_run": training_run,
        "run": run,
    }
    storage.write_json(manifest_uri(root, str(features["cab"]), str(features["month"])), manifest)
    return manifest


def read(manifest: dict[str, Any]) -> tuple[pl.DataFrame, Floats]:
    """A published version: the trips, and (trips,) the minutes predicted for them.

    Raises:
        InputError: it is gone or no Parquet.
    """
    import polars as pl

    uri = str(manifest["uri"])
    try:
        table = pl.read_parquet(uri, storage_options=storage.polars_options())
    except (pl.exceptions.PolarsError, OSError) as error:
        storage.require_object(uri)
        raise InputError(f"{uri} cannot be read as Parquet: {error}") from error
    return table.drop(PREDICTED), table[PREDICTED].cast(pl.Float64).to_numpy()
