"""What a server's processes listen on."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def listening(pids: Iterable[int]) -> set[str]:
    """The addresses that these processes listen on."""
    asked = set(pids)
    return {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.laddr and connection.pid in asked and connection.status == psutil.CONN_LISTEN
    }
