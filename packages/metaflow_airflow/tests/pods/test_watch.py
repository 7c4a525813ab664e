"""The one watch of a triggerer, over real HTTP: it goes on, whatever happens to it."""

import asyncio

import pytest
from metaflow_airflow.pods.watch import PodWatch

from .fake import refusal
from .on_fake import encoded, on_fake
from .real_cluster.real import until


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.watch._PAUSES", (0.02, 0.05))


LABELS = {"app.kubernetes.io/managed-by": "metaflow-airflow", "metaflow-airflow/site": "site"}


def pod(name, site="site"):
    labels = LABELS | {"metaflow-airflow/site": site}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"containers": []}}


async def known(one, *names):
    await until(lambda: set(one.hub.watch.pods) == set(names), f"pods {names}", within=20)


def test_what_comes_changes_and_goes_is_known_and_pods_of_others_are_not():
    async def scenario(server, one):
        with one.hub.watch.subscribe("a") as followed:
            await one.cluster.create(pod("a"))
            await one.cluster.create(pod("b", site="other"))
            await known(one, "a")
            server.change("a", phase="Running")
            await until(lambda: followed.pod["status"]["phase"] == "Running", "its phase")
            server.remove("a")
            await until(lambda: followed.deleted, "its end")
        await known(one)
        assert server.seen.count("list") == 1

    on_fake(scenario)


def test_a_stream_that_breaks_goes_on_where_it_was_and_lists_nothing_anew():
    async def scenario(server, one):
        await one.cluster.create(pod("a"))
        await known(one, "a")
        server.bookmark()
        for last in (b"", b"{half a li", b"\n"):
            asked = server.seen.count("watch")
            server.break_watches(last)
            await until(lambda n=asked: server.seen.count("watch") > n, "another stream")
        await one.cluster.create(pod("b"))
        await known(one, "a", "b")
        assert int(dict(server.queries)["watch"]["resourceVersion"]) > 100

    on_fake(scenario)


def test_a_version_that_has_expired_is_listed_anew_and_what_went_meanwhile_is_gone():
    async def scenario(server, one):
        await one.cluster.create(pod("a"))
        await one.cluster.create(pod("b"))
        await known(one, "a", "b")
        server.oldest = 10_000  # the server forgot all that it knew
        server.pods.pop("a")
        server.break_watches()
        await until(lambda: server.seen.count("list") > 1, "the second list")
        server.oldest = 0
        await known(one, "b")
        assert one.hub.watch.problem is None

    on_fake(scenario)


def test_a_server_that_is_busy_forbids_or_is_away_is_a_problem_until_it_answers():
    async def scenario(server, one):
        await until(lambda: server.watches, "the watch")
        for status in (429, 500, 401, 403):
            server.first("watch", lambda status=status: refusal(status, "No", f"no: {status}"))
            server.first("list", lambda status=status: refusal(status, "No", f"no: {status}"))
            server.break_watches(b"\n" if status == 429 else b"")
            await until(lambda s=status: f"no: {s}" in str(one.hub.watch.problem), f"{status}")
            await until(lambda: server.watches, "the next watch")
            server.bookmark()
            await until(lambda: one.hub.watch.problem is None, "the answer")

    on_fake(scenario)


def test_a_change_that_nobody_understands_does_not_end_the_watch(caplog):
    async def scenario(server, one):
        await until(lambda: server.watches, "the watch")
        server.break_watches(encoded({"type": "MODIFIED", "object": {"kind": "Pod"}}))
        await until(lambda: server.seen.count("list") > 1, "another list")
        await one.cluster.create(pod("a"))
        await known(one, "a")
        assert one.hub.watch.problem is None

    on_fake(scenario)
    assert "The watch of pods failed; it begins anew" in caplog.text


def test_whoever_fails_at_a_change_does_not_end_the_watch():
    failures = ["once"]

    def on_change():
        if failures:
            raise asyncio.InvalidStateError(failures.pop())

    async def scenario(server, one):
        watch = PodWatch(one.cluster, "", on_change)
        watch.start()
        await until(lambda: not failures, "the failure")
        await one.cluster.create(pod("a"))
        await until(lambda: "a" in watch.pods, "the pod", within=20)
        await watch.stop()

    on_fake(scenario)
