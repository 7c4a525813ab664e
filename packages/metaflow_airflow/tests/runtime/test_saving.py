"""Artifacts of a step are saved by the step's own process, unless they are many or large."""

from __future__ import annotations

from pathlib import Path

import pytest

from .support import LauncherRun, Platform

# What Metaflow saved, and how many processes that started.
SAVE = """
import json, sys
from io import BytesIO
from metaflow.plugins.datastores.s3_storage import S3Storage
from metaflow_airflow.runtime.flow.saving import save_small_here

started = []
sys.addaudithook(lambda event, _: started.append(event) if event == "subprocess.Popen" else None)
save_small_here(S3Storage)
number, size = map(int, sys.argv[2:])
storage = S3Storage(sys.argv[1])
contents = {f"saved/{number}-{size}/{n}": bytes([n]) * size for n in range(number)}
items = ((path, (BytesIO(content), {"n": 1})) for path, content in contents.items())
storage.save_bytes(items, overwrite=True, len_hint=number)
saving = len(started)
with storage.load_bytes(list(contents)) as loaded:
    found = {path: (open(file, "rb").read(), metadata) for path, file, metadata in loaded}
assert found == {path: (content, {"n": 1}) for path, content in contents.items()}
print(json.dumps(saving))
"""


@pytest.mark.parametrize(
    ("number", "size", "started"), [(0, 0, 0), (12, 100, 0), (33, 100, 1), (12, 1 << 20, 1)]
)
def test_few_small_artifacts_start_no_process(
    platform: Platform, number: int, size: int, started: int
) -> None:
    assert platform.python(SAVE, platform.root, str(number), str(size)) == started


def test_a_step_of_many_artifacts_starts_none(platform: Platform, tmp_path: Path) -> None:
    run = LauncherRun(platform, "ManyFlow", "many.py")
    started = tmp_path / "started"

    assert run.process(run.task("start"), STARTED=str(started)).run().ok

    assert platform.artifacts(run.spec("start"))["number_11"] == 11
    assert not started.exists(), started.read_text()
