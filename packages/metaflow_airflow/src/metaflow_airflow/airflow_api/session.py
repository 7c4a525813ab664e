"""The way to Airflow's API server, past what the environment says of proxies and certificates."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase


def new_session(url: str) -> requests.Session:
    """A session for that server: of this machine without a proxy; SSL_CERT_FILE is trusted."""
    session = requests.Session()
    session.trust_env = not _is_here(url)
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    return session


class Bearer(AuthBase):
    """A token in each request. As a header of the session, a line of ~/.netrc would replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token in."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def why(error: OSError) -> str:
    """What to change after a request that did not reach the server: the variable, where it is one.

    Text of the error stays out of it: it may hold a proxy's password.
    """
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted: SSL_CERT_FILE names the file of its authority"
    if isinstance(
        error,
        requests.exceptions.ProxyError
        | requests.exceptions.InvalidProxyURL
        | requests.exceptions.InvalidSchema,
    ):
        return (
            "the proxy of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY does not lead there: NO_PROXY names "
            "hosts that need none"
        )
    if not isinstance(error, requests.RequestException):
        return f"the certificates of SSL_CERT_FILE or REQUESTS_CA_BUNDLE cannot be read: {error}"
    return type(error).__name__


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def detail(response: requests.Response) -> str:
    """What an answer of Airflow says went wrong."""
    try:
        said = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return response.text[:500]
    if isinstance(said, list):
        return "; ".join(str(entry.get("msg", entry)) for entry in said)
    return str(said)
