"""Proxies, certificates that are gone, umasks: other people's environments."""

from __future__ import annotations

from pathlib import Path

import pytest
from metaflow_airflow.runtime.failures import LaunchError
from metaflow_airflow.runtime.surroundings import (
    lost_certificates,
    reach_loopback,
    step_umask,
)


@pytest.mark.parametrize(
    ("environ", "no_proxy"),
    [
        ({}, None),
        ({"NO_PROXY": "x"}, "x,localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://p"}, "localhost,127.0.0.1,::1"),
        ({"ALL_PROXY": "socks5://p", "no_proxy": "a, localhost"}, "a,localhost,127.0.0.1,::1"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, "*"),
    ],
)
def test_this_machines_servers_are_asked_directly(
    environ: dict[str, str], no_proxy: str | None
) -> None:
    found = reach_loopback(environ)
    assert (found.get("no_proxy"), found.get("NO_PROXY")) == (no_proxy, no_proxy)


def test_certificates_that_are_gone_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    environ = {"SSL_CERT_FILE": "/gone/ca.pem", "AWS_CA_BUNDLE": f"{tmp_path}/ca.pem"}
    assert lost_certificates(environ) == (
        "SSL_CERT_FILE (/gone/ca.pem) names a file or folder that is not there: TLS connections "
        "fail for want of certificates. Correct or unset it where the worker runs."
    )
    both = lost_certificates({**environ, "AWS_CA_BUNDLE": "/gone/too"})
    assert both
    assert both.startswith("AWS_CA_BUNDLE (/gone/too) and SSL_CERT_FILE (/gone/ca.pem) name files")
    assert lost_certificates({"SSL_CERT_FILE": ""}) is None


@pytest.mark.parametrize(("value", "umask"), [(None, 0o077), ("022", 0o22), ("0002", 0o2)])
def test_the_umask_of_a_step(value: str | None, umask: int) -> None:
    environ = {} if value is None else {"METAFLOW_AIRFLOW_UMASK": value}
    assert step_umask(environ, 0o077) == umask


def test_a_umask_that_is_no_number() -> None:
    with pytest.raises(LaunchError, match=r"METAFLOW_AIRFLOW_UMASK is 'rwx'.*022"):
        step_umask({"METAFLOW_AIRFLOW_UMASK": "rwx"}, 0o077)
