"""Who the client is to Airflow: a user with a password, a token, or a command that prints one."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import requests

_PATIENCE = 60  # seconds for a command that prints a token


class LoginError(Exception):
    """No token: the words say why, and what to change."""


class Login(Protocol):
    """Gets tokens."""

    @property
    def settings(self) -> str:
        """Names of the settings that say it."""

    def token(self, post: Callable[[str, dict[str, str]], requests.Response]) -> str:
        """A token, a new one each time it is asked for.

        Args:
            post: sends JSON to a path of Airflow's server.

        Raises:
            LoginError: there is none.
        """


@dataclass(frozen=True)
class PasswordLogin:
    """What Airflow's own login page asks for, exchanged for a JWT."""

    username: str
    password: str = field(repr=False)
    settings: str = "METAFLOW_AIRFLOW_REST_API_USERNAME and METAFLOW_AIRFLOW_REST_API_PASSWORD"

    def token(self, post: Callable[[str, dict[str, str]], requests.Response]) -> str:
        """A token of POST /auth/token."""
        login = {"username": self.username, "password": self.password}
        response = post("/auth/token", login)
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise LoginError(
                f"refused the login of user {self.username!r} ({response.status_code}). Check "
                f"{self.settings}"
            )
        try:
            response.raise_for_status()
            return str(response.json()["access_token"])
        except (requests.RequestException, LookupError, TypeError) as error:
            raise LoginError(
                "is not Airflow's API, or has no login by password: POST /auth/token gave no token "
                f"(status {response.status_code}). METAFLOW_AIRFLOW_REST_API_URL is the address "
                "that a browser opens to see Airflow; a managed Airflow wants "
                "METAFLOW_AIRFLOW_REST_API_TOKEN_COMMAND"
            ) from error


@dataclass
class TokenLogin:
    """One token, as long as it lasts."""

    value: str = field(repr=False)
    settings: str = "METAFLOW_AIRFLOW_REST_API_TOKEN"
    _given: bool = False

    def token(self, post: Callable[[str, dict[str, str]], requests.Response]) -> str:
        """The token; there is no second one."""
        if self._given:
            raise LoginError(
                f"refused the token. Has it expired? Set another {self.settings}, or "
                "METAFLOW_AIRFLOW_REST_API_TOKEN_COMMAND to a command that prints one"
            )
        self._given = True
        return self.value


@dataclass(frozen=True)
class CommandLogin:
    """A command that prints a token, such as a cloud's own."""

    command: str
    settings: str = "METAFLOW_AIRFLOW_REST_API_TOKEN_COMMAND"

    def token(self, post: Callable[[str, dict[str, str]], requests.Response]) -> str:
        """What the command prints."""
        try:
            done = subprocess.run(
                shlex.split(self.command),
                capture_output=True,
                text=True,
                check=True,
                timeout=_PATIENCE,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines()[-1:] or ["it printed no reason"]
            raise LoginError(
                f"was not asked: the command of {self.settings} ended with exit code "
                f"{error.returncode}: {said[0]}"
            ) from error
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise LoginError(
                f"was not asked: the command of {self.settings} cannot be run: {error}"
            ) from error
        if not done.stdout.strip():
            raise LoginError(f"was not asked: the command of {self.settings} printed no token")
        return done.stdout.strip()
