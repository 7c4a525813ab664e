"""Which of the stack's doors open to whom: tried from each place where somebody's code runs.

    uv run python tests/compose/doors.py        # of the stack that `docker compose` names

prints a row for the steps of each team and for two other users of this machine: "no" where nothing
answers, "login" where it is refused without one, "yes" where anybody gets something. With
$KUBECONFIG also for a pod of a step.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
USERS = (65534, 54321)
_POD, _IMAGE = "doors", "platform/pod:local"
# By column of docs/security.md: name in the stack's network and port there, variables of .env with
# address and port on this machine, and what is asked for.
DOORS = {
    "Airflow's database": ("postgres", 5432, "", "", "postgres"),
    "Airflow": ("api-server", 8080, "BIND_ADDRESS", "AIRFLOW_PORT", "/api/v2/dags"),
    "metadata service": ("metadata", 8080, "PODS_BIND_ADDRESS", "METADATA_PORT", "/flows"),
    "Metaflow's UI": ("metaflow-ui", 8083, "BIND_ADDRESS", "METAFLOW_UI_PORT", "/flows"),
    "S3": ("minio", 9000, "PODS_BIND_ADDRESS", "S3_PORT", "/"),
}
# Takes [[host, port, what], ...] by name, and prints what came of each.
_PROBE = r"""
import http.client, json, socket
def asked(host, port, what):
    try:
        if what == "postgres":  # does it speak TLS?
            with socket.create_connection((host, port), timeout=5) as there:
                there.sendall(bytes.fromhex("0000000804d2162f"))
                return "login" if there.recv(1) in (b"N", b"S") else "no"
        connection = http.client.HTTPConnection(host, port, timeout=15)
        connection.request("GET", what)
        status = connection.getresponse().status
    except OSError:
        return "no"
    return "yes" if status < 300 else "login" if status in (401, 403) else str(status)
print("DOORS" + json.dumps({name: asked(*door) for name, door in DOORS.items()}))
"""


def tried(settings: dict[str, str], *, pods: bool) -> dict[tuple[str, str], str]:
    """Return by (who, door) what came of it.

    Args:
        settings: the lines of .env, before which the environment goes.
        pods: whether there is a cluster, with the steps' image.
    """
    settings = {name: os.environ.get(name, value) for name, value in settings.items()}
    inside = {name: (host, port, what) for name, (host, port, _, _, what) in DOORS.items()}
    outside = {
        name: (settings[host], int(settings[port]), what)
        for name, (_, _, host, port, what) in DOORS.items()
        if host
    }
    probe, probe_outside = _program(inside), _program(outside)
    found = {
        "a step of a flow, as a process": _exec("worker-flows", probe),
        "a task of data engineering": _exec("worker-data-engineering", probe),
    }
    if pods:
        found["a step of a flow, as a pod"] = _pod(probe_outside)
    for user in USERS:
        found[f"another user of this machine ({user})"] = _as_user(user, probe_outside)
    return {(who, door): cells.get(door, "no") for who, cells in found.items() for door in DOORS}


def _program(doors: dict[str, tuple[str, int, str]]) -> str:
    return f"DOORS = {doors!r}\n{_PROBE}"


def _exec(service: str, program: str) -> dict[str, str]:
    return _answer(["docker", "compose", "exec", "-T", service, "python", "-"], program)


def _as_user(user: int, program: str) -> dict[str, str]:
    # Python of the system: the workspace's own may be in a folder of its user alone.
    drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return _answer([*drop, "/usr/bin/python3", "-"], program)


def _pod(program: str) -> dict[str, str]:
    """Ask in a pod as steps have it: their image, account and standard."""
    container: dict[str, Any] = {
        "name": "step",
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    overrides = json.dumps({"spec": spec})
    _kubectl("run", _POD, "--image", _IMAGE, "--restart=Never", "--overrides", overrides)
    try:
        _kubectl(
            "wait", f"pod/{_POD}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s"
        )
        return _parsed(_kubectl("logs", _POD))
    finally:
        _kubectl("delete", "pod", _POD, "--grace-period=0", "--force")


def _kubectl(*words: str) -> str:
    return _output(["kubectl", "--namespace", "flows", *words], "")


def _answer(command: list[str], program: str) -> dict[str, str]:
    return _parsed(_output(command, program))


def _output(command: list[str], program: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=program, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command[:4]}: {done.stdout[-1000:]} {done.stderr[-3000:]}"
    return done.stdout


def _parsed(output: str) -> dict[str, str]:
    (line,) = (line for line in output.splitlines() if line.startswith("DOORS"))
    answer: dict[str, str] = json.loads(line.removeprefix("DOORS"))
    return answer


def main() -> None:
    """Print the table as docs/security.md has it."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from documented import printed

    file = Path(os.environ.get("COMPOSE_ENV_FILES", ROOT / ".env"))
    settings = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    print(printed("who", tried(settings, pods=bool(os.environ.get("KUBECONFIG")))))


if __name__ == "__main__":
    main()
