"""A pod's life on a real cluster: each way to end, and each part that may fail in between."""

import asyncio
import time

import pytest
from metaflow_airflow.pods.patience import Limits

from .real import on_cluster, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def texts(site):
    return [text for _, text in site.lines]


def test_a_step_is_followed_to_its_end_and_its_pod_goes(kubeconfig):
    async def scenario(site):
        life = site.life("for i in 1 2 3; do echo line $i; sleep 0.3; done; echo; exit 3")
        ending = await life.run()
        assert ending.kind == "exit"
        assert ending.sentence.startswith("exit code 3: line 3 (pod dag-step-1-")
        assert texts(site) == ["line 1", "line 2", "line 3", ""]
        assert [at for at, _ in site.lines] == sorted(at for at, _ in site.lines)
        await life.delete()
        await until(lambda: not site.hub.watch.pods, "the pod's end")
        assert await site.pods() == []

    on_cluster(kubeconfig, scenario)


def test_lines_come_while_the_step_runs(kubeconfig):
    async def scenario(site):
        running = asyncio.create_task(site.life("echo early; sleep 30").run())
        await site.until_line("early")
        assert not running.done()
        running.cancel()

    on_cluster(kubeconfig, scenario)


def test_an_image_that_cannot_be_had_is_given_up_without_a_retry(kubeconfig):
    async def scenario(site):
        def no_image(spec):
            spec["containers"][0] |= {"image": "no-such-image:1", "imagePullPolicy": "Never"}

        ending = await site.life("true", change=no_image).run()
        assert (ending.kind, ending.retry) == ("image", False)
        assert "no-such-image:1" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_no_room_in_the_cluster_names_what_is_missing(kubeconfig):
    async def scenario(site):
        def large(spec):
            spec["containers"][0]["resources"]["requests"] = {"cpu": "500"}

        # Waiting for room is not the step's time.
        limits = Limits(pending=3, seconds=1)
        ending = await site.life("true", change=large, limits=limits).run()
        assert (ending.kind, ending.retry) == ("no-room", True)
        assert "cpu 500" in ending.sentence
        assert "Insufficient cpu" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_a_pod_waits_for_as_long_as_others_of_its_kind_have_the_room(kubeconfig, monkeypatch):
    monkeypatch.setattr("metaflow_airflow.pods.life.TELL_SECONDS", 1.0)

    async def scenario(site):
        def most_of_it(spec):
            spec["containers"][0]["resources"]["requests"] = {"cpu": "1100m"}

        def step(task, script):
            limits = Limits(pending=12)  # the scheduler looks again within ten
            return site.life(script, site.identity(task), change=most_of_it, limits=limits).run()

        first = asyncio.create_task(step("first", "echo here; sleep 18; exit 3"))
        await site.until_line("here")
        second = asyncio.create_task(step("second", "exit 4"))

        assert [(await each).sentence.split(" (")[0] for each in (first, second)] == [
            "exit code 3: here",
            "exit code 4",
        ]
        (waits,) = [text for text in site.said if "waits for room" in text]
        assert "Insufficient cpu" in waits

    on_cluster(kubeconfig, scenario)


def test_out_of_memory_names_the_limit(kubeconfig):
    async def scenario(site):
        def small(spec):
            spec["containers"][0]["resources"]["limits"] = {"memory": "32M"}

        ending = await site.life("tail /dev/zero", change=small).run()
        assert ending.kind == "out-of-memory", ending
        assert "32M" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_a_secret_that_is_not_there_is_given_up_without_a_retry(kubeconfig):
    async def scenario(site):
        def secret(spec):
            spec["containers"][0]["envFrom"] = [{"secretRef": {"name": "no-such-secret"}}]

        ending = await site.life("true", change=secret).run()
        assert (ending.kind, ending.retry) == ("configuration", False)
        assert "no-such-secret" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_a_pod_that_somebody_deletes_says_so(kubeconfig):
    async def scenario(site):
        running = asyncio.create_task(site.life("echo here; sleep 60").run())
        await site.until_line("here")
        (pod,) = site.hub.watch.pods.values()
        await site.hub.cluster.delete(pod["metadata"]["name"], uid=pod["metadata"]["uid"])
        ending = await running
        assert (ending.kind, ending.retry) == ("deleted", True)

    on_cluster(kubeconfig, scenario)


def test_kubernetes_ends_a_pod_that_lives_too_long_by_itself(kubeconfig):
    async def scenario(site):
        ending = await site.life(
            "sleep 60", change=lambda spec: spec.update(activeDeadlineSeconds=2)
        ).run()
        assert ending.kind == "deadline"
        assert "2 s" in ending.sentence

    on_cluster(kubeconfig, scenario)


def test_our_own_deadline_comes_where_kubernetes_does_not(kubeconfig):
    async def scenario(site):
        ending = await site.life("sleep 60", limits=Limits(seconds=2)).run()
        assert ending.kind == "deadline"

    on_cluster(kubeconfig, scenario)


def test_whoever_takes_over_adopts_the_pod_and_reads_its_log_from_the_beginning(kubeconfig):
    script = "echo begun $(hostname) $(date +%s%N); for i in 1 2 3 4 5 6; do echo $i; sleep 1; done"

    async def scenario(killed, other):
        first = asyncio.create_task(killed.life(script).run())
        await killed.until_line("2")
        first.cancel()
        await killed.stop()
        ending = await other.life(script, killed.identity()).run()
        assert ending.kind == "exit"  # it ended well, but told no result
        assert texts(other)[1:] == ["1", "2", "3", "4", "5", "6"]
        assert texts(other)[0] == texts(killed)[0]

    on_cluster(kubeconfig, scenario, count=2)


def test_two_that_follow_the_same_step_share_one_pod(kubeconfig):
    async def scenario(one, other):
        script = "echo begun $(date +%s%N); sleep 2"
        endings = await asyncio.gather(
            one.life(script).run(), other.life(script, one.identity()).run()
        )
        assert endings[0].kind == endings[1].kind == "exit"
        assert texts(one) == texts(other)
        assert len(texts(one)) == 1

    on_cluster(kubeconfig, scenario, count=2)


def test_a_wire_that_is_cut_for_20_s_loses_no_line_and_no_step(kubeconfig):
    async def scenario(site):
        script = "for i in $(seq 1 60); do echo $i; sleep 0.5; done"
        running = asyncio.create_task(site.life(script).run())
        await site.until_line("5")
        await site.wire.cut()
        await asyncio.sleep(20)
        assert not running.done()
        await site.wire.open()
        ending = await running
        assert ending.kind == "exit"
        assert texts(site) == [str(n) for n in range(1, 61)]
        assert any("does not answer" in text for text in site.said)
        assert any("answers again" in text for text in site.said)

    on_cluster(kubeconfig, scenario)


def test_an_api_server_that_stays_away_is_given_up_with_a_retry(kubeconfig):
    async def scenario(site):
        running = asyncio.create_task(
            site.life("echo here; sleep 60", limits=Limits(unreachable=4)).run()
        )
        await site.until_line("here")
        await site.wire.cut()
        ending = await running
        assert (ending.kind, ending.retry) == ("unreachable", True)
        await site.wire.open()

    on_cluster(kubeconfig, scenario)


def test_a_new_try_waits_until_the_pod_of_the_earlier_one_is_gone(kubeconfig):
    # It ignores SIGTERM: the pod is there until the grace period is over.
    earlier = "trap '' TERM; echo earlier; for i in $(seq 60); do sleep 1; done"

    async def scenario(site):
        first = asyncio.create_task(site.life(earlier).run())
        await site.until_line("earlier")
        first.cancel()
        begun = time.monotonic()
        second = site.identity(number=2)
        await site.life("echo later", second).run()
        assert texts(site)[-1] == "later"
        assert await site.pods() == [second.name]
        assert time.monotonic() - begun > 1.5

    on_cluster(kubeconfig, scenario)


def test_a_run_keeps_to_its_limit_of_pods(kubeconfig):
    async def scenario(site):
        most = 0

        async def look():
            nonlocal most
            while True:
                live = [p for p in site.hub.watch.pods.values() if p["status"]["phase"] != "Failed"]
                most = max(most, len(live))
                await asyncio.sleep(0.02)

        looking = asyncio.create_task(look())
        steps = [
            site.life(
                "sleep 1; exit 1", site.identity(map_index=i), limits=Limits(run_pods=2)
            ).run()
            for i in range(6)
        ]
        endings = await asyncio.gather(*steps)
        looking.cancel()
        assert [ending.kind for ending in endings] == ["exit"] * 6
        assert most == 2

    on_cluster(kubeconfig, scenario)


def test_a_pod_that_nobody_waits_for_is_swept_away_and_one_that_is_wanted_stays(kubeconfig):
    async def scenario(killed, other):
        other.wanted.add("kept")
        lives = [
            asyncio.create_task(killed.life("echo here; sleep 60", killed.identity(task)).run())
            for task in ("kept", "left")
        ]
        await until(lambda: texts(killed) == ["here", "here"], "both steps")
        for life in lives:
            life.cancel()
        await killed.stop()
        await until(lambda: len(other.hub.watch.pods) == 1, "the sweep", within=30)
        assert await other.pods() == [killed.identity("kept").name]

    on_cluster(kubeconfig, scenario, count=2)


def test_the_loop_is_never_blocked(kubeconfig):
    async def scenario(site):
        longest = 0.0

        async def beat():
            nonlocal longest
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.02)
                longest = max(longest, time.monotonic() - before - 0.02)

        beating = asyncio.create_task(beat())
        steps = [
            site.life("seq 1 2000; exit 1", site.identity(map_index=i)).run() for i in range(20)
        ]
        await asyncio.gather(*steps)
        beating.cancel()
        assert len(site.lines) == 20 * 2000
        assert longest < 0.5, f"the loop stood still for {longest:.2f} s"

    on_cluster(kubeconfig, scenario)
