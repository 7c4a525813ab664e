"""Who may create a pod, and when."""

import asyncio
from collections import Counter

import pytest
from metaflow_airflow.pods.cluster_errors import ConnectError
from metaflow_airflow.pods.limits import Slots, most_pods


class Cluster:
    """Pods that are not over, by DAG run, and the most there have been."""

    def __init__(self, most):
        self.live: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.peak_of_all = 0
        self.begun: list[str] = []
        self.slots = Slots(most)
        self.slots.count(lambda: ((run, True) for run in self.live.elements()))

    async def step(self, run, limit):
        async with self.slots.slot(run, limit):
            await asyncio.sleep(0)  # the pod is being created
            self.live[run] += 1
            self.begun.append(run)
            self.peak[run] = max(self.peak[run], self.live[run])
            self.peak_of_all = max(self.peak_of_all, self.live.total())
        await asyncio.sleep(0.001)
        self.live[run] -= 1
        self.slots.changed()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


async def many(cluster, runs):
    await asyncio.gather(*(cluster.step(run, limit) for run, limit in runs))


def test_a_run_never_has_more_pods_than_its_limit_and_all_get_their_turn():
    async def main():
        cluster = Cluster(most=1000)
        await many(cluster, [("a", 3)] * 40)
        assert cluster.peak["a"] == 3
        assert len(cluster.begun) == 40

    run(main())


def test_all_runs_together_stay_below_the_triggerers_limit():
    async def main():
        cluster = Cluster(most=5)
        await many(cluster, [("a", None)] * 20 + [("b", None)] * 20)
        assert cluster.peak_of_all == 5

    run(main())


def test_a_large_run_does_not_keep_a_small_one_waiting():
    async def main():
        cluster = Cluster(most=2)
        await many(cluster, [("large", None)] * 50 + [("small", None)])
        assert cluster.begun.index("small") < 5

    run(main())


def test_who_gives_up_waiting_leaves_its_place_to_the_next():
    async def main():
        cluster = Cluster(most=1)
        first = asyncio.create_task(cluster.step("a", 1))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(cluster.step("b", 1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        await cluster.step("c", 1)
        assert cluster.begun == ["a", "c"]

    run(main())


def test_who_is_cancelled_just_as_its_turn_comes_gives_it_back():
    async def main():
        cluster = Cluster(most=1)
        async with cluster.slots.slot("a", 1):
            waiting = asyncio.create_task(cluster.step("b", 1))
            await asyncio.sleep(0)
        # its turn has come, but it did not run yet
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await cluster.step("c", 1)
        assert cluster.begun == ["c"]

    run(main())


def test_pods_of_another_triggerer_count_for_the_run_and_not_for_this_triggerer():
    async def main():
        cluster = Cluster(most=1)
        cluster.slots.count(lambda: [("theirs", False)] * 7)
        await cluster.step("mine", 1)
        theirs = asyncio.create_task(cluster.step("theirs", 7))
        await asyncio.sleep(0.01)
        assert cluster.begun == ["mine"]
        theirs.cancel()

    run(main())


def test_two_hundred_are_cancelled_while_pods_end_and_the_next_gets_its_turn():
    async def main():
        cluster = Cluster(most=1)
        async with cluster.slots.slot("a", None):
            waiting = [asyncio.create_task(cluster.step(f"run-{n % 7}", None)) for n in range(200)]
            await asyncio.sleep(0)
            for each in waiting:
                each.cancel()
                cluster.slots.changed()  # a pod ended in the same turn of the loop
        await asyncio.gather(*waiting, return_exceptions=True)
        assert cluster.begun == []
        await cluster.step("b", 1)
        assert cluster.begun == ["b"]

    run(main())


@pytest.mark.parametrize("said", ["many", "0", "-1", "1.5"])
def test_a_number_of_pods_that_is_none_is_refused(said):
    assert most_pods({}) == 100
    assert most_pods({"METAFLOW_AIRFLOW_MAX_PODS": "7"}) == 7
    with pytest.raises(ConnectError, match=f"METAFLOW_AIRFLOW_MAX_PODS is '{said}' .* 0, or none"):
        most_pods({"METAFLOW_AIRFLOW_MAX_PODS": said})
