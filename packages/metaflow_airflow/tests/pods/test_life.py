"""A pod's life over real HTTP, before an API server that plays every part of a cluster.

On a real cluster: real_cluster/test_life.py.
"""

import asyncio
import time

import pytest

from .fake import quota_conflict, refusal
from .on_fake import DONE, on_fake, stamped
from .real_cluster.real import until


def failed(code=3, message=""):
    return {"terminated": {"exitCode": code, "reason": "Error", "message": message}}


def test_a_step_is_followed_to_its_end_and_its_pod_goes():
    async def scenario(server, one):
        life = one.life()
        running = asyncio.create_task(life.run())
        name = one.identity().name
        await until(lambda: name in server.pods, "the pod")
        server.container(name, {"running": {}}, phase="Running")
        server.write(name, *stamped("one", "", "two"))
        await until(lambda: one.lines == ["one", "", "two"], "the lines, while it runs")
        server.write(name, *stamped("three", second=1))
        server.container(name, {"terminated": DONE})  # the phase comes a second later
        ending = await running
        assert ending.ok
        assert one.lines == ["one", "", "two", "three"]
        await life.delete()
        assert server.pods == {}

    on_fake(scenario)


def test_only_the_steps_own_container_counts_and_its_log_is_asked_for_by_name():
    async def scenario(server, one):
        proxy = {"name": "proxy", "state": {"running": {}}}
        life = one.life()
        running = asyncio.create_task(life.run())
        name = one.identity().name
        await until(lambda: name in server.pods, "the pod")
        server.pods[name]["spec"]["containers"].insert(0, {"name": "proxy", "image": "mesh:1"})
        server.container(name, {"waiting": {"reason": "ContainerCreating"}}, proxy)
        server.container(name, {"running": {}}, proxy, phase="Running")
        server.write(name, *stamped("the reason"))
        server.container(name, failed(), proxy)
        ending = await running
        assert (ending.kind, ending.retry) == ("exit", True)
        assert "exit code 3: the reason" in ending.sentence
        await life.delete()
        assert server.pods == {}, "the container that outlived it is ended"

    on_fake(scenario)


def test_a_quota_that_is_counted_just_now_is_asked_again(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.patience._PAUSE", 0.05)

    async def scenario(server, one):
        server.first("create", quota_conflict, quota_conflict)
        name, ending = await one.begun()
        server.container(name, {"terminated": DONE}, phase="Succeeded")
        assert (await ending).ok

    on_fake(scenario)


def test_more_pods_than_a_quota_has_room_for_wait_and_all_end_well(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.creation._QUOTA_PAUSE", 0.02)
    monkeypatch.setattr("metaflow_airflow.pods.creation.TELL_SECONDS", 0.1)

    async def scenario(server, one):
        server.quota = 2
        lives = [one.life(one.identity(f"item-{n}")) for n in range(8)]
        endings = [asyncio.create_task(each.run()) for each in lives]
        await until(lambda: any("waits for room" in text for text in one.said), "the reason")
        assert len(server.pods) == 2
        while not all(each.done() for each in endings):
            for name, pod in list(server.pods.items()):
                if pod["status"]["phase"] == "Pending":
                    server.container(name, {"terminated": DONE}, phase="Succeeded")
            await asyncio.sleep(0.02)
        assert all(each.result().ok for each in endings)
        assert any("exceeded quota: two-pods" in text for text in one.said)

    on_fake(scenario)


def test_a_quota_without_room_for_long_is_no_room_and_worth_another_try(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.creation._QUOTA_PAUSE", 0.05)

    async def scenario(server, one):
        server.quota = 0
        ending = await one.life(pending=0.2).run()
        assert (ending.kind, ending.retry) == ("no-room", True)
        assert "exceeded quota: two-pods" in ending.sentence

    on_fake(scenario)


def test_what_the_cluster_refuses_for_good_is_not_asked_again():
    async def scenario(server, one):
        why = (
            'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
        )
        server.first("create", lambda: refusal(403, "Forbidden", why))
        ending = await one.life().run()
        assert (ending.kind, ending.retry) == ("refused", False)
        assert "security_context" in ending.sentence
        assert server.seen.count("create") == 1

    on_fake(scenario)


def test_a_log_that_breaks_off_loses_no_line_and_none_comes_twice(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.logs._PAUSE", 0.01)

    async def scenario(server, one):
        name, ending = await one.begun()
        server.write(name, *stamped("0", "1"))
        for n in range(2, 40, 2):
            await until(lambda n=n: len(one.lines) == n, f"line {n}")
            if n % 6 == 2:
                server.first("log", ConnectionError(), lambda: refusal(500, "", "away"), None)
            # The node's clock steps back in the middle.
            second = n // 4 if n < 20 else n // 4 - 4
            await server.break_log(name)
            server.write(name, *stamped(str(n), str(n + 1), second=second))
        server.container(name, failed(), phase="Failed")
        await ending
        assert one.lines == [str(n) for n in range(40)]

    on_fake(scenario)


def test_lines_of_megabytes_arrive_whole_in_pieces_though_the_stream_breaks():
    long = "".join(f"{n:07d}ä" for n in range(400_000))

    async def scenario(server, one):
        name, ending = await one.begun()
        server.write(name, *stamped("before", long, "after"))
        await until(lambda: "before" in one.lines, "the first line")
        await server.break_log(name)
        server.container(name, failed(), phase="Failed")
        await ending
        assert one.lines[0] == "before"
        assert one.lines[-1] == "after"
        assert "".join(one.lines[1:-1]) == long
        assert max(map(len, one.lines)) == 64 * 1024

    on_fake(scenario)


def test_much_log_of_many_pods_never_blocks_the_loop():
    async def scenario(server, one):
        started = [await one.begun(one.identity(f"task-{n}")) for n in range(10)]
        many = stamped(*(f"line {n}" for n in range(20_000)))
        longest = 0.0

        async def beat():
            nonlocal longest
            while True:
                before = time.process_time()  # the machine's other work is not ours
                await asyncio.sleep(0)
                longest = max(longest, time.process_time() - before)

        for name, _ in started:
            server.logs[name] = many
            server.container(name, failed(), phase="Failed")
        server.chunk = 256 * 1024
        beating = asyncio.create_task(beat())
        await asyncio.gather(*(ending for _, ending in started))
        beating.cancel()
        assert len(one.lines) == 10 * 20_000
        assert longest < 0.5, f"the loop stood still for {longest:.2f} s"

    on_fake(scenario)


def test_the_end_of_a_log_that_cannot_be_read_is_told(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.life._LOG_GRACE", 0.3)

    async def scenario(server, one):
        name, ending = await one.begun()
        server.write(name, *stamped("here"))
        await until(lambda: one.lines == ["here"], "the line")
        server.first("log", *[lambda: refusal(500, "", "dial tcp: no route to host")] * 50)
        server.container(name, failed(), phase="Failed")
        assert (await ending).kind == "exit"
        (told,) = [text for text in one.said if "could not be read" in text]
        assert "no route to host" in told

    on_fake(scenario)


def test_what_stands_in_the_log_without_a_time_is_what_the_cluster_says():
    async def scenario(server, one):
        name, ending = await one.begun()
        server.write(name, "unable to retrieve container logs for containerd://abc")
        server.container(name, failed(), phase="Failed")
        await ending
        assert one.lines == []
        (told,) = [text for text in one.said if "says of the log" in text]
        assert "unable to retrieve container logs" in told

    on_fake(scenario)


def test_who_takes_over_adopts_the_pod_and_reads_its_log_from_the_beginning():
    async def scenario(server, one, other):
        name, first = await one.begun()
        server.write(name, *stamped("a", "b"))
        await until(lambda: one.lines == ["a", "b"], "the lines")
        first.cancel()
        await one.hub.stop()
        second = asyncio.create_task(other.life(other.identity()).run())
        await until(lambda: other.lines == ["a", "b"], "the same lines")
        server.container(name, {"terminated": DONE})
        assert (await second).ok
        assert len(server.pods) == 1

    on_fake(scenario, count=2)


def test_a_new_try_waits_until_the_pod_of_the_earlier_one_is_gone():
    async def scenario(server, one):
        _, first = await one.begun()
        first.cancel()
        later = one.identity(number=2)
        name, second = await one.begun(later)
        assert list(server.pods) == [later.name]
        server.container(name, {"terminated": DONE})
        assert (await second).ok

    on_fake(scenario)


@pytest.mark.parametrize(("how", "kind"), [("deleted", "deleted"), ("late", "deadline")])
def test_a_pod_that_goes_or_stays_too_long_is_told(monkeypatch, how, kind):
    monkeypatch.setattr("metaflow_airflow.pods.life._LOOK_SECONDS", 0.05)

    async def scenario(server, one):
        name, ending = await one.begun(seconds=0.3 if how == "late" else None)
        if how == "deleted":
            await until(lambda: one.hub.watch.pods[name]["status"]["phase"] == "Running", "it")
            server.remove(name)
        assert (await ending).kind == kind

    on_fake(scenario)


def test_a_server_that_stays_away_is_given_up_and_one_that_comes_back_is_not(monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.life._LOOK_SECONDS", 0.05)

    async def scenario(server, one):
        _, given_up = await one.begun(one.identity("short"), unreachable=0.5)
        name, ending = await one.begun(one.identity("long"))
        server.first("watch", *[ConnectionError()] * 6)
        server.break_watches()
        assert (await given_up).kind == "unreachable"
        server.answers["watch"].clear()
        server.container(name, {"terminated": DONE})
        assert (await ending).ok

    on_fake(scenario)
