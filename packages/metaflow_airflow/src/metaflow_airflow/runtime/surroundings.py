"""What the place that a launcher was started in gets wrong for every step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .failures import LaunchError

UMASK_VARIABLE = "METAFLOW_AIRFLOW_UMASK"
"""Octal; of steps, where the servers that start them have a stricter one than who started those."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_PROXY = ("no_proxy", "NO_PROXY")
_CERTIFICATES = (
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def reach_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with this machine's own servers asked directly, whatever proxies it names."""
    if not any(name.lower().endswith("_proxy") for name in environ):
        return dict(environ)
    # Programs look at either spelling, some at the first that is set.
    kept = next((environ[name] for name in _NO_PROXY if environ.get(name)), "")
    hosts = [each.strip() for each in kept.split(",") if each.strip()]
    if "*" not in hosts:
        hosts += [each for each in _LOOPBACK if each not in hosts]
    return {**environ, **dict.fromkeys(_NO_PROXY, ",".join(hosts))}


def lost_certificates(environ: Mapping[str, str]) -> str | None:
    """One sentence on variables that name files of certificates that are gone; None if all is well.

    Each library looks at other ones, and says no more than that a file is missing.
    """
    lost = [
        f"{name} ({environ[name]})"
        for name in _CERTIFICATES
        if environ.get(name) and not Path(environ[name]).exists()
    ]
    if not lost:
        return None
    what = "names a file or folder that is" if len(lost) == 1 else "name files or folders that are"
    return (
        f"{' and '.join(lost)} {what} not there: TLS connections fail for want of certificates. "
        "Correct or unset it where the worker runs."
    )


def step_umask(environ: Mapping[str, str], own: int) -> int:
    """The umask of a step.

    Args:
        own: the launcher's, which counts where nobody asked for another one.

    Raises:
        LaunchError: the variable has no octal number.
    """
    text = environ.get(UMASK_VARIABLE)
    if text is None:
        return own
    try:
        return int(text, 8) & 0o777
    except ValueError as error:
        raise LaunchError(
            f"{UMASK_VARIABLE} is {text!r}, which is no octal number: set it to one, like 022."
        ) from error
