"""What a stack does at the moment, read from its state directory."""

from __future__ import annotations

from embedded import processes
from embedded.state import Json, State


def is_running(state: State) -> bool:
    """Whether a supervisor owns this stack."""
    return state.is_locked("supervisor")


def status(state: State) -> Json:
    """Return stack.json, corrected where its supervisor is gone: phase, servers, ports."""
    content = state.read() or {"phase": "stopped", "servers": {}, "ports": {}}
    if not is_running(state) and content["phase"] not in ("stopped", "failed"):
        content["phase"] = "gone"
        for info in content["servers"].values():
            info.update(state="unknown")
    return content


def is_whole(state: State) -> bool:
    """Whether every server runs; the supervisor may not have noticed a kill yet."""
    found = status(state)
    pids = [info["pid"] for info in found["servers"].values()]
    # One that has just crashed has no pid any more, a moment before the phase says so.
    return found["phase"] == "ready" and all(
        pid is not None and processes.is_alive(pid) for pid in pids
    )


def ends(state: State) -> list[Json]:
    """Return the last ends of servers since the supervisor began: number, server, at, report."""
    found: list[Json] = state.read().get("ends", [])
    return found


def failures(state: State) -> list[tuple[str, str]]:
    """Return (name, report with the end of its log) of each server that stays dead."""
    found = status(state)
    if found["phase"] == "gone":
        return [("supervisor", supervisor_report(state))]
    return [
        (name, info["report"])
        for name, info in found["servers"].items()
        if info["state"] == "crashed" and info.get("given_up", True)
    ]


def supervisor_report(state: State) -> str:
    """Say that the supervisor is gone, with the end of its log."""
    log = state.log("supervisor")
    end = "\n".join(processes.log_end(log))
    return f"the stack's supervisor is gone. The end of {log}:\n{end}"
