"""Many small pods followed in one event loop, as a triggerer does it, without Airflow.

    KUBECONFIG=… uv run --all-packages benchmarks/many_pods.py [count]

Each pod is Alpine's `echo` and asks for a tenth of a core. Prints one line: seconds, the most pods
at once, what following them costs in memory, how late the loop was (what Airflow warns of from
0.2 s on), and whether each pod's line came once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from packages.metaflow_airflow.tests.pods.real_cluster.real import Site, on_cluster, until

COUNT = 1000
_TICK = 0.05


def small(spec: dict[str, Any]) -> None:
    """Ask for a tenth of a core."""
    spec["containers"][0]["resources"]["requests"] = {"cpu": "100m"}


async def measured(site: Site, count: int) -> None:
    """Follow that many pods at once and print the line."""
    late: list[float] = []
    most = 0

    async def watch_loop() -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(_TICK)
            late.append(time.monotonic() - begin - _TICK)

    async def watch_pods() -> None:
        nonlocal most
        while True:
            most = max(most, len(await site.pods()))
            await asyncio.sleep(3)

    async def follow(item: int) -> str:
        identity = site.identity("item", map_index=item)
        life = site.life(f"echo item {item}; exit 5", identity, change=small)
        ending = await life.run()
        await life.delete()
        return ending.kind if ending else "none"

    idle, began = psutil.Process().memory_full_info().pss, time.monotonic()
    watching = [asyncio.create_task(watch_loop()), asyncio.create_task(watch_pods())]
    ends = Counter(await asyncio.gather(*(follow(item) for item in range(count))))
    seconds, held = time.monotonic() - began, psutil.Process().memory_full_info().pss - idle
    for task in watching:
        task.cancel()
    await until(lambda: not site.hub.watch.pods, "the end of all pods")
    late.sort()
    once = Counter(text for _, text in site.lines) == Counter(f"item {n}" for n in range(count))
    print(
        f"{count} pods: {seconds:.0f} s, at most {most} at once, {held / 2**20:.0f} MiB,", end=" "
    )
    print(f"loop late by {late[len(late) // 2]:.3f} s (median),", end=" ")
    print(f"{late[len(late) * 99 // 100]:.3f} s (99 %), {late[-1]:.3f} s (most);", end=" ")
    print(f"ends {dict(ends)}, each line once: {once}")


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if sys.argv[1:] else COUNT
    on_cluster(os.environ["KUBECONFIG"], lambda site: measured(site, wanted))
