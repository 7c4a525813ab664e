"""What of the caller's environment the stack's processes get: nothing that would bend them.

Pure but for looks at the certificate files that the environment names.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

Notes = list[str]

_FOREIGN = re.compile(
    r"""
    AIRFLOW.* | METAFLOW.* | AWS_.* | TRIP_DATA_(ROOT|SOURCES) | EMBEDDED_STACK | VIRTUAL_ENV
    | PYTHON.*                       # also what makes each task compile all that it imports
    | PG[A-Z]+ | PGCONNECT_TIMEOUT   # libpq's: they would lead our clients to another server
    # Where a repository is, not who commits: `git rev-parse --local-env-vars`.
    | GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|INDEX_FILE|COMMON_DIR|PREFIX|SHALLOW_FILE
      |OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|GRAFT_FILE|CONFIG.*|NO_REPLACE_OBJECTS
      |REPLACE_REF_BASE)
    | LC_.* | LANG | LANGUAGE
    """,
    re.VERBOSE,
)
# Of uv's settings those that say where packages come from and how to get there; not what to do
# with a project, which is the caller's own.
_UV = re.compile(
    r"UV|UV_(.*INDEX.*|FIND_LINKS|KEYRING_PROVIDER|CACHE_DIR|NO_CACHE|OFFLINE|LINK_MODE|CONFIG_FILE"
    r"|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|HTTP_.*|REQUEST_TIMEOUT|CONCURRENT_.*|PYTHON_.*"
    r"|HTTPS_.*|LOG_CONTEXT|NO_PROGRESS)"
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Each library asks its own; the first that is set speaks for all.
_MAY_BE_FOLDERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


def environment(inherited: Mapping[str, str]) -> tuple[dict[str, str], Notes]:
    """Return the variables to pass on, and a sentence for each one that cannot work.

    Settings of other programs are left out. Proxies stay, but leave this machine alone; a
    certificate authority of the caller's counts for every library. Text is UTF-8.
    """
    notes: Notes = []
    env = {name: value for name, value in inherited.items() if _passes(name)}
    env |= _authority(inherited, env, notes)
    for name in [name for name in env if name.upper() in _PROXIES]:
        if (problem := _proxy_problem(env[name])) is not None:
            del env[name]
            notes.append(f"{name} is left out: {problem}")
    env |= dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(_unproxied(inherited, notes)))
    return env | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}, notes


def _passes(name: str) -> bool:
    if name == "UV" or name.startswith("UV_"):
        return _UV.fullmatch(name) is not None
    return _FOREIGN.fullmatch(name) is None


def _proxy_problem(value: str) -> str | None:
    """Say why Airflow's HTTP client cannot use a proxy; never its text, which may be a password."""
    if not value.strip():
        return None  # none, in words
    try:
        httpx.Proxy(value if "://" in value else f"http://{value}")
    except ValueError:
        scheme = value.partition("://")[0]
        return f"no proxy is reached by {scheme}://. Write http://, https:// or socks5://"
    except httpx.InvalidURL:
        return "it is no URL. Write http://HOST:PORT"
    return None


def _unproxied(inherited: Mapping[str, str], notes: Notes) -> list[str]:
    """Return what proxies leave alone: the caller's hosts, in both spellings, and this machine."""
    given = (
        host.strip()
        for name in ("NO_PROXY", "no_proxy")
        for host in inherited.get(name, "").split(",")
    )
    return list(dict.fromkeys((*_hosts(given, notes), *_LOOPBACK)))


def _hosts(given: Iterator[str], notes: Notes) -> Iterator[str]:
    for host in filter(None, given):
        bare = host.removeprefix("[").removesuffix("]")
        if bare.count(":") < 2 or "://" in bare:
            yield host
            continue
        try:
            ipaddress.IPv6Address(bare)
        except ValueError:
            note = f"NO_PROXY's {host} is left out: of IPv6, HTTP clients know addresses alone"
            if note not in notes:
                notes.append(note)
        else:
            yield bare


def _authority(inherited: Mapping[str, str], env: dict[str, str], notes: Notes) -> dict[str, str]:
    """Return one file of certificates for all; what names no such file goes, from `env` too."""
    found = None
    for name in _AUTHORITIES:
        file = inherited.get(name)
        if not file or (name in _MAY_BE_FOLDERS and Path(file).is_dir()):
            continue
        try:
            ssl.create_default_context(cafile=file)
        except (OSError, ValueError) as error:
            env.pop(name, None)
            reason = getattr(error, "strerror", None) or error
            notes.append(f"{name} is left out: {file} holds no certificates ({reason})")
        else:
            found = found or file
    return {name: env.get(name, found) for name in _AUTHORITIES} if found else {}
