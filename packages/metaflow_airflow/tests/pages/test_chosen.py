import asyncio
import gzip
import json
import pickle

import pytest
from metaflow_airflow.pages import chosen
from metaflow_airflow.pages.datastore import Datastore


@pytest.mark.parametrize(
    ("value", "keys", "text"),
    [
        ({"a": {"b": 0.123456789}}, ["a", "b"], "0.123457"),
        ([4, 5], ["1"], "5"),
        ([4, 5], ["2"], None),
        ({"a": 1}, ["b"], None),
        (7, [], "7"),
        ("x" * 100, [], "x" * 59 + "…"),
    ],
)
def test_a_cell_is_the_part_that_was_asked_for(value, keys, text):
    assert chosen.shown(value, keys) == text


def test_names_are_taken_as_people_type_them():
    assert chosen.names_in(" rmse,metrics.mae  rmse ") == ("rmse", "metrics.mae")
    assert chosen.names_in("") == ()


def test_cells_are_of_the_last_attempt_that_ended_and_leave_out_what_is_not_plain(tmp_path):
    def keep(key, value):
        path = tmp_path / "F" / "data" / key[:2] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(pickle.dumps(value)))

    keep("aa1", {"rmse": 2.5})
    keep("bb1", {"rmse": 9.9})
    keep("cc1", object())
    task = tmp_path / "F" / "1" / "fit" / "t"
    task.mkdir(parents=True)
    for attempt, objects in enumerate(
        [{"metrics": "bb1"}, {"metrics": "aa1", "model": "cc1"}, {"metrics": "bb1"}]
    ):
        (task / f"{attempt}.data.json").write_text(json.dumps({"objects": objects}))
    for attempt in (0, 1):
        (task / f"{attempt}.DONE.lock").write_bytes(b"")

    names = ["metrics.rmse", "model", "none"]
    found = asyncio.run(chosen.cells(Datastore(str(tmp_path)), ["F/1/fit/t", "F/1/fit/u"], names))

    assert found == {"F/1/fit/t": {"metrics.rmse": "2.5"}, "F/1/fit/u": {}}


def test_what_was_read_once_is_not_asked_for_again(tmp_path, monkeypatch):
    content = tmp_path / "F" / "data" / "aa" / "aa2"
    content.parent.mkdir(parents=True)
    content.write_bytes(gzip.compress(pickle.dumps(3)))
    for task in range(40):
        folder = tmp_path / "F" / "1" / "fit" / str(task)
        folder.mkdir(parents=True)
        (folder / "0.data.json").write_text(json.dumps({"objects": {"x": "aa2", "y": "aa2"}}))
        (folder / "0.DONE.lock").write_bytes(b"")
    asked = []
    read = Datastore._read

    async def counted(store, path, most):
        asked.append(path)
        return await read(store, path, most)

    monkeypatch.setattr(Datastore, "_read", counted)
    tasks = [f"F/1/fit/{task}" for task in range(40)]
    for _ in range(2):
        found = asyncio.run(chosen.cells(Datastore(str(tmp_path)), tasks, ["x", "y"]))
        assert list(found.values()) == [{"x": "3", "y": "3"}] * 40

    assert len(asked) == 41  # each task's own file, and their one content
