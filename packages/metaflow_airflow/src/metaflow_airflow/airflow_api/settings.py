"""Settings of Metaflow's configuration that say where Airflow is, and who asks it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from metaflow_airflow.airflow_api.login import CommandLogin, Login, PasswordLogin, TokenLogin
from metaflow_airflow.compat.metaflow import configuration
from metaflow_airflow.errors import BridgeError

URL, USERNAME, PASSWORD, TOKEN, TOKEN_COMMAND = (
    "AIRFLOW_REST_API_URL",
    "AIRFLOW_REST_API_USERNAME",
    "AIRFLOW_REST_API_PASSWORD",
    "AIRFLOW_REST_API_TOKEN",
    "AIRFLOW_REST_API_TOKEN_COMMAND",
)


def setting(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """A setting of Metaflow's configuration (METAFLOW_<name> in the environment, or its file).

    Args:
        environment: where to look; this process's unless it is given.
    """
    variable = f"METAFLOW_{name}"
    if value := (os.environ if environment is None else environment).get(variable):
        return value
    if environment is None:
        from metaflow.metaflow_config_funcs import from_conf

        value = from_conf(name)
    else:
        value = configuration(environment).get(variable)
    return str(value) if value else None


def settings(environment: Mapping[str, str] | None = None) -> tuple[str, Login]:
    """Airflow's address and the login that is set.

    The first that is set counts: TOKEN_COMMAND, TOKEN, USERNAME with PASSWORD.

    Args:
        environment: see setting.

    Raises:
        BridgeError: naming what is not set.
    """
    names = (URL, TOKEN_COMMAND, TOKEN, USERNAME, PASSWORD)
    url, command, token, username, password = (setting(name, environment) for name in names)
    login = _login(command, token, username, password)
    if url and login:
        return url, login
    said = {URL: url} if login else {URL: url, USERNAME: username, PASSWORD: password}
    missing = [f"METAFLOW_{name}" for name, value in said.items() if not value]
    raise BridgeError(
        f"Airflow's address or login is not set: {', '.join(missing)}. Set them in the environment "
        f"or in Metaflow's configuration; METAFLOW_{TOKEN} or METAFLOW_{TOKEN_COMMAND} stand for a "
        "login."
    )


def _login(
    command: str | None, token: str | None, username: str | None, password: str | None
) -> Login | None:
    if command:
        return CommandLogin(command)
    if token:
        return TokenLogin(token)
    return PasswordLogin(username, password) if username and password else None
