"""What the steps of a triggerer share, over real HTTP: their number, and who cleans up."""

import asyncio

from metaflow_airflow.pods.containers import is_over

from .on_fake import DONE, on_fake
from .real_cluster.real import until


async def end_all(server, endings):
    """A kubelet that ends each pod soon after it came; the most that there were at once."""
    most = 0
    while not all(each.done() for each in endings):
        live = [name for name, pod in server.pods.items() if not is_over(pod)]
        most = max(most, len(live))
        for name in live:
            server.container(name, {"terminated": DONE}, phase="Succeeded")
        await asyncio.sleep(0.02)
    return most


def test_a_triggerer_has_no_more_pods_than_it_may_in_all_its_namespaces():
    async def scenario(server, one):
        other = one.another_hub("other-site")
        sites = ["site", "other-site"] * 6
        lives = [one.life(one.identity(f"task-{n}", site=site)) for n, site in enumerate(sites)]
        for life in lives[1::2]:
            life._hub = life._creation._hub = other
        endings = [asyncio.create_task(life.run()) for life in lives]
        most = await end_all(server, endings)
        assert all(each.result().ok for each in endings)
        assert most <= 3
        await other.stop()

    on_fake(scenario, most=3)


def test_pods_of_another_triggerer_leave_this_one_all_its_room():
    async def scenario(server, one, other):
        await other.begun(other.identity("theirs"))
        name, ending = await one.begun(one.identity("mine"))
        server.container(name, {"terminated": DONE}, phase="Succeeded")
        assert (await ending).ok

    on_fake(scenario, count=2, most=1)


def test_two_hundred_steps_are_cancelled_while_pods_end_and_the_next_runs():
    async def scenario(server, one):
        name, first = await one.begun()
        waiting = [
            asyncio.create_task(one.life(one.identity(f"task-{n}", run=f"run-{n % 9}")).run())
            for n in range(200)
        ]
        await until(lambda: sum(len(q.waiting) for q in one.slots._queues.values()) == 200, "200")
        for n, each in enumerate(waiting):
            if n == 100:
                server.container(name, {"terminated": DONE}, phase="Succeeded")
            each.cancel()
            one.slots.changed()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await first).ok
        name, ending = await one.begun(one.identity("next"))
        server.container(name, {"terminated": DONE}, phase="Succeeded")
        assert (await ending).ok
        assert one.hub.watch.problem is None

    on_fake(scenario, most=1)


def test_what_nobody_waits_for_is_swept_away_and_what_is_wanted_stays():
    async def scenario(server, one, other):
        one.wanted |= {"kept"}
        endings = [(await other.begun(other.identity(task)))[1] for task in ("kept", "left")]
        await other.hub.stop()
        for each in endings:
            each.cancel()
        kept = other.identity("kept").name
        await until(lambda: list(server.pods) == [kept], "the sweep", within=20)

    on_fake(scenario, count=2, unclaimed=0.2)


def test_a_pod_is_removed_by_its_name_and_none_is_no_error():
    async def scenario(server, one):
        name, ending = await one.begun()
        await one.hub.remove("no-such-pod")
        await one.hub.remove(name)
        assert server.pods == {}
        assert (await ending).kind == "deleted"

    on_fake(scenario)
