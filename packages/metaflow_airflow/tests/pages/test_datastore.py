import asyncio
import socket
import time

import pytest
from metaflow_airflow.pages import datastore
from metaflow_airflow.pages.datastore import Datastore
from metaflow_airflow.pages.page_error import PageError


def in_s3(endpoint):
    environ = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
    }
    return Datastore("s3://bucket/metaflow", environ)


def test_a_folder_is_read_as_s3_is(tmp_path):
    task = tmp_path / "Flow" / "1" / "start" / "t"
    task.mkdir(parents=True)
    (task / "0.DONE.lock").write_bytes(b"")
    (task / "0.data.json").write_bytes(b"{}")
    (task / "below").mkdir()
    (task / "below" / "deeper").write_bytes(b"")
    store = Datastore(str(tmp_path))

    async def ask():
        names = await store.names("Flow/1/start/t")
        return sorted(each.name for each in names), await store.read("Flow/1/start/t/0.data.json")

    assert asyncio.run(ask()) == (["0.DONE.lock", "0.data.json"], b"{}")
    assert asyncio.run(store.read("Flow/none")) is None
    assert asyncio.run(store.has_any("Flow/1"))
    assert not asyncio.run(store.has_any("Flow/2"))


def test_what_is_too_large_is_not_read(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 100)

    with pytest.raises(PageError, match="has 100 bytes; a page shows at most 99"):
        asyncio.run(Datastore(str(tmp_path)).read("large", most=99))


def test_a_datastore_that_never_answers_is_a_sentence_and_holds_nobody_up(
    silent_server, monkeypatch
):
    monkeypatch.setattr(datastore, "SECONDS", 0.5)
    late = []

    async def watch():
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - began - 0.01)

    async def ask():
        watching = asyncio.create_task(watch())
        try:
            await in_s3(silent_server).names("Flow")
        finally:
            watching.cancel()

    began = time.monotonic()
    with pytest.raises(PageError, match=r"s3://bucket/metaflow did not answer within 0.5 s"):
        asyncio.run(ask())

    assert time.monotonic() - began < 5
    assert len(late) > 10  # the loop went on


def test_a_datastore_that_is_not_there_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(PageError, match=r"s3://bucket/metaflow cannot be read|did not answer"):
        asyncio.run(in_s3(f"http://127.0.0.1:{port}").read("x"))
