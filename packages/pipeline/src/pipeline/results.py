"""What a pipeline run left behind, read from its artifacts: datasets in S3, runs in Metaflow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from embedded.errors import StackError

from pipeline import s3
from pipeline.targets.base import Target

Json = dict[str, Any]


def features(
    environment: Mapping[str, str], cab: str, months: Sequence[str], *, made_up: bool = False
) -> list[Json]:
    """Return the current feature dataset of each month: its current.json.

    Raises StackError naming the object that is missing.
    """
    root = environment["TRIP_DATA_ROOT"] + ("/made-up" if made_up else "")
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    store = s3.client(environment)
    found: list[Json] = []
    for month in months:
        key = "/".join(filter(None, (prefix, "features", cab, month, "current.json")))
        try:
            found.append(json.load(store.get_object(Bucket=bucket, Key=key)["Body"]))
        except (ClientError, BotoCoreError) as error:
            raise StackError(f"cannot read s3://{bucket}/{key}: {error}") from error
    return found


def report(target: Target, train_run: str, predict_run: str) -> Json:
    """Return metrics, predictions and drift of two Metaflow runs, as the flows report them."""
    command = [
        str(target.flows_python), "-m", "ml_flows.report", "--json",
        "--train-run", train_run, "--predict-run", predict_run,
    ]  # fmt: skip
    done = subprocess.run(
        command, env=target.environment(), cwd=target.flows_folder, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(f"the flows' report failed: {(done.stderr or done.stdout)[-2000:]}")
    try:
        answer: Json = json.loads(done.stdout.strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError) as error:
        raise StackError(f"the flows' report is not JSON: {done.stdout[-500:]!r}") from error
    return answer
