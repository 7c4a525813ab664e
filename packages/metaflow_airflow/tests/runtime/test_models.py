"""The descriptions of AWS's services are read once for a step, however many clients it makes."""

from __future__ import annotations

from .support import LauncherRun, Platform


def test_a_client_of_the_step_reads_none_of_them_again(platform: Platform) -> None:
    run = LauncherRun(platform, "ClientsFlow", "clients.py")

    run.succeed("start")

    assert platform.artifacts(run.spec("start"))["described"] == []
