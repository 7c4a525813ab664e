"""Ports of the stack: free ones are found once, written down and kept; fixed ones are checked."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

from embedded.errors import StackError

HOST = "127.0.0.1"
# Below the range from which the kernel takes ports of outgoing connections (32768 and up): a
# port written down today must not be somebody's client tomorrow.
_LOWEST, _HIGHEST = 20_000, 31_999
# SeaweedFS's worker reaches its admin server at the admin port + 10000, whatever is set.
_SOCKETS = Path("/tmp")  # noqa: S108 - it writes there, whatever TMPDIR says
_ADMIN, _ADMIN_GRPC, _ADMIN_DISTANCE = "s3_admin", "s3_admin_grpc", 10_000

PUBLIC = ("airflow", "postgres", "s3")
NAMES = (
    *PUBLIC,
    "airflow_log",
    "s3_grpc",
    "s3_master",
    "s3_master_grpc",
    "s3_volume",
    "s3_volume_grpc",
    "s3_filer",
    "s3_filer_grpc",
    _ADMIN,
)


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def sockets(port: int) -> list[Path]:
    """Return the sockets that SeaweedFS named after a port: in /tmp, where names are anybody's."""
    return list(_SOCKETS.glob(f"seaweedfs-*-{port}.sock"))


def is_squatted(port: int) -> bool:
    """Say whether somebody else holds such a name: SeaweedFS could not use the port then."""
    return any(socket.lstat().st_uid != os.geteuid() for socket in sockets(port))


def assign(kept: Mapping[str, int], fixed: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name: the fixed one, else the kept one while free, else a new one.

    Raises StackError when a fixed name is unknown or a fixed port is in use.
    """
    for name, port in fixed.items():
        if name not in PUBLIC:
            raise StackError(f"there is no port called {name!r}: choose among {', '.join(PUBLIC)}")
        if not 1 <= port <= 65_535:
            raise StackError(f"port {port} for {name} is not between 1 and 65535")
        if not is_free(port):
            raise StackError(
                f"port {port} for {name} is in use by another program on {HOST}: end that program "
                f"or choose another port (--port {name}=N). Nothing was started."
            )
    ports = dict(fixed)
    for name in NAMES:
        if name not in ports:
            taken = set(ports.values())
            ports[name] = _keep_or_find(kept.get(name), taken, pair=name == _ADMIN)
    ports[_ADMIN_GRPC] = ports[_ADMIN] + _ADMIN_DISTANCE
    return ports


def _keep_or_find(kept: int | None, taken: set[int], *, pair: bool) -> int:
    def usable(port: int) -> bool:
        partner = port + _ADMIN_DISTANCE
        free = is_free(port) and (not pair or is_free(partner))
        return port not in taken and free and not is_squatted(port) and not is_squatted(partner)

    if kept is not None and usable(kept):
        return kept
    candidates = list(range(_LOWEST, _HIGHEST + 1))
    random.shuffle(candidates)
    for port in candidates:
        if usable(port):
            return port
    raise StackError(f"no free port between {_LOWEST} and {_HIGHEST} on {HOST}")
