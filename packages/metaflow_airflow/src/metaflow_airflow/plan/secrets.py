"""Which variables may not stand in a DAG file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Step

_NAME = re.compile(
    r"(SECRET|PASSW(OR)?D|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|"
    r"SIGNING_?KEY|AUTH(ORIZATION)?$|_PWD$|^PGPASS)",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(^AKIA[0-9A-Z]{16}$|^gh[pousr]_\w{20,}|^xox[abprs]-|^eyJ\w+\.eyJ|-----BEGIN |"
    r"^\w+://[^/\s:@]+:[^/\s@]+@|^Bearer\s)"
)


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's name or value is one of a credential's."""
    return bool(_NAME.search(name) or _VALUE.search(value))


def plain_variables(step: Step) -> dict[str, str]:
    """What @environment sets for a step, as far as a DAG file may show it.

    A secret in the flow's own @environment stays out of the file: the step sets it itself.

    Raises:
        BridgeError: for a secret given by `--with environment:vars=`, which nothing else carries.
    """
    variables: dict[str, str] = {}
    for decorator in step.decorators:
        if decorator.name == "environment":
            variables |= _plain(step, decorator)
    return variables


def _plain(step: Step, decorator: Decorator) -> Mapping[str, str]:
    texts = {str(key): str(value) for key, value in decorator.attributes["vars"].items()}
    secret = [name for name, value in texts.items() if looks_secret(name, value)]
    if secret and decorator.attached:
        raise BridgeError(
            f"--with environment:vars= sets {', '.join(secret)} on step *{step.name}*, which looks "
            "like a secret: it would stand in the DAG file for everybody to read. Use @secrets, "
            "an Airflow connection, or the environment of Airflow's workers."
        )
    return {name: value for name, value in texts.items() if name not in secret}
