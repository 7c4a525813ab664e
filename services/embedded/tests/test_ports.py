import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded.errors import StackError
from embedded.ports import HOST, NAMES, assign, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_every_server_gets_a_free_port_of_its_own() -> None:
    ports = assign({}, {})

    assert set(ports) == {*NAMES, "s3_admin_grpc"}
    assert len(set(ports.values())) == len(ports)
    assert all(is_free(port) for port in ports.values())


def test_seaweedfs_finds_its_admin_server_ten_thousand_ports_above() -> None:
    ports = assign({}, {})

    assert ports["s3_admin_grpc"] == ports["s3_admin"] + 10_000


def test_ports_are_kept() -> None:
    first = assign({}, {})

    assert assign(first, {}) == first


def test_a_kept_port_that_somebody_took_is_replaced(taken: int) -> None:
    first = assign({}, {})

    second = assign({**first, "airflow": taken}, {})

    assert second["airflow"] != taken
    assert {n: p for n, p in second.items() if n != "airflow"} == {
        n: p for n, p in first.items() if n != "airflow"
    }


def test_a_fixed_port_is_taken_as_it_is() -> None:
    free = assign({}, {})["airflow"]

    assert assign({}, {"airflow": free})["airflow"] == free


def test_a_fixed_port_in_use_is_refused_by_name_and_number(taken: int) -> None:
    with pytest.raises(StackError, match=f"port {taken} for s3 is in use.*Nothing was started"):
        assign({}, {"s3": taken})


@pytest.mark.parametrize(
    ("fixed", "message"),
    [({"web": 8080}, "no port called 'web'"), ({"s3": 70_000}, "70000 for s3 is not between")],
)
def test_a_port_that_cannot_be_is_refused(fixed: dict[str, int], message: str) -> None:
    with pytest.raises(StackError, match=message):
        assign({}, fixed)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes somebody else's file: needs root")
def test_a_port_whose_socket_somebody_else_named_is_not_taken() -> None:
    ports = assign({}, {})
    named = Path(f"/tmp/seaweedfs-filer-grpc-{ports['s3_filer_grpc']}.sock")
    named.touch()
    try:
        assert assign(ports, {}) == ports
        os.chown(named, 65534, 65534)
        changed = assign(ports, {})
    finally:
        named.unlink()

    assert changed.pop("s3_filer_grpc") != ports.pop("s3_filer_grpc")
    assert changed == ports
