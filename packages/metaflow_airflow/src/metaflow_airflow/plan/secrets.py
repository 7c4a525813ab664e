"""What may not stand in a DAG file: credentials, told by whole words of a name or by a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Step
from metaflow_airflow.plan.record import Parameter
from metaflow_airflow.plan.step import Deployment

_BEHIND = re.compile(r"PROD|PRODUCTION|DEV|TEST|STAGING|OLD|NEW|VALUE|B64|BASE64|V?\d+")
_SECRET = re.compile(
    r"SECRET|PASSPHRASE|TOKEN|CREDENTIAL|AUTH|AUTHORIZATION|\w*(PASSWORD|PASSWD|APIKEY|SECRETKEY)"
)
_WITH_A_WORD_BEFORE = re.compile(r"KEY|PASS|PWD")  # alone they mean other things as well
_PLURAL = re.compile(r"KEYS|TOKENS|SECRETS|PASSWORDS|CREDENTIALS")
_OF_SERVICES = re.compile(r"API|ACCESS|AUTH|SECRET|PRIVATE|REFRESH|BEARER|ENCRYPTION|SIGNING")
# Keys of tables, tokens of language models.
_PLAIN = re.compile(
    r"PRIMARY|FOREIGN|PARTITION|SORT|JOIN|GROUP|INDEX|CACHE|OBJECT|BUCKET|ROW|HASH|MAP|PUBLIC|"
    r"EOS|BOS|PAD|UNK|SEP|CLS|MASK|STOP|SPECIAL|FIRST|SECOND|LAST|SINGLE|ONE|TWO"
)
_HARMLESS = re.compile(r"(true|false|yes|no|on|off|none|null)?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")

_VALUE = re.compile(
    r"""
      \b(AKIA|ASIA)[0-9A-Z]{16}\b                                     # AWS
    | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,} # code hosts
    | \bxox[abeoprs]-[\w-]{8,} | \bsk-[\w-]{16,} | \b[sr]k_(live|test)_\w{8,}
    | \bhf_[A-Za-z0-9]{20,} | \bAIza[\w-]{30,} | \bhvs\.\w{16,} | \bpypi-\w{16,} | \bnpm_\w{30,}
    | \beyJ[\w-]+\.eyJ[\w-]+                                          # a JSON web token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    | \w://[^/\s:@]*:(?![${<{])[^/\s@]+@                              # a URL's password
    | (?i:\b(Bearer|Basic)\s+[\w.~+/=-]{8,})
    | (?i:[?&;](password|pwd|token|api_?key|sig|accountkey|sharedaccesskey)=[^&;\s]+)
    | (?i:\bpassword\s*=\s*[^;\s]+)                                   # a DSN
    | hooks\.slack\.com/ | discord(app)?\.com/api/webhooks/ | webhook\.office\.com/
    """,
    re.VERBOSE,
)


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable is a credential, by the last word of its name or by its value."""
    if _VALUE.search(value):
        return True
    if _HARMLESS.fullmatch(value.strip()):
        return False
    words = _words(name)
    return bool(words) and _is_credential(words, value)


def _words(name: str) -> list[str]:
    """DB_PASSWORD_PROD or dbPassword2 -> DB, PASSWORD: what stands behind the thing is left out."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    words = [word for word in re.split(r"[\W_]+", spaced) if word]
    while len(words) > 1 and _BEHIND.fullmatch(words[-1]):
        words.pop()
    return words


def _is_credential(words: Sequence[str], value: str) -> bool:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if words[-3:] == ["ACCESS", "KEY", "ID"]:
        return True
    if "WEBHOOK" in words and "://" in value:
        return True
    if _PLAIN.fullmatch(before):
        return False
    if last == "CREDENTIALS":
        return not re.match(r"[~./]", value)  # a file's path
    if _PLURAL.fullmatch(last):
        return bool(_OF_SERVICES.fullmatch(before))
    if _WITH_A_WORD_BEFORE.fullmatch(last):
        return bool(before) and not (last == "PASS" and _NUMBER.fullmatch(value))
    return bool(_SECRET.fullmatch(last))


def plain_variables(step: Step) -> dict[str, str]:
    """What @environment sets for a step, as far as a DAG file may show it.

    A secret in the flow's own @environment stays out of the file: the step sets it itself.
    """
    variables: dict[str, str] = {}
    for decorator in step.decorators:
        if decorator.name == "environment":
            texts = _texts(decorator)
            variables |= {k: v for k, v in texts.items() if not looks_secret(k, v)}
    return variables


def _texts(environment: Decorator) -> dict[str, str]:
    return {str(key): str(value) for key, value in environment.attributes["vars"].items()}


def _attached_variables(steps: Sequence[Step]) -> Iterator[BridgeError]:
    """The secrets of `--with environment:vars=`, which nothing but the DAG file carries."""
    found: dict[tuple[str, ...], list[Step]] = {}
    for step in steps:
        for decorator in step.decorators:
            if decorator.name == "environment" and decorator.attached:
                texts = _texts(decorator)
                if names := tuple(name for name, text in texts.items() if looks_secret(name, text)):
                    found.setdefault(names, []).append(step)
    for names, those in found.items():
        in_pod = next((step for step in those if step.decorator("kubernetes")), None)
        more = f" and {len(those) - 1} more" if len(those) > 1 else ""
        yield BridgeError(
            f"--with environment:vars= sets {', '.join(names)} on step *{those[0].name}*{more}, "
            "which looks like a secret: it would stand in the DAG file for everybody to read. "
            + (_FOR_A_POD.format(in_pod.name) if in_pod else _FOR_A_PROCESS)
        )


_FOR_A_PROCESS = "Use @secrets, an Airflow connection, or the environment of Airflow's workers."
_FOR_A_POD = (
    "Step *{}* runs in a pod: put it into a Kubernetes secret and name that by "
    "--with kubernetes:secrets=NAME, @kubernetes(secrets=[...]) or METAFLOW_KUBERNETES_SECRETS "
    "(docs/pods.md); or use @secrets."
)


def refuse_secrets(
    deployment: Deployment, parameters: Sequence[Parameter], steps: Sequence[Step]
) -> list[BridgeError]:
    """The credentials among what would stand in the DAG file."""
    found = list(_attached_variables(steps))
    found += [
        BridgeError(
            f"The default of parameter *{parameter.name}* looks like a secret: it would stand in "
            "the DAG file and in Airflow's trigger form for everybody to read. Read it in the "
            "step, by @secrets or from the environment."
        )
        for parameter in parameters
        if isinstance(parameter.default, str) and looks_secret(parameter.name, parameter.default)
    ]
    found += [
        BridgeError(
            f"{name} of whoever exports looks like a secret: it would stand in the DAG file. Take "
            "the password out of it and give it to Airflow's workers."
        )
        for name, value in deployment.environment.items()
        if _VALUE.search(value)  # the bridge chose the names, and none is a credential's
    ]
    said = {
        f"--with {decorator.name}: its {key}"
        for step in steps
        for decorator in step.decorators
        if decorator.attached and decorator.name != "environment"
        for key, value in decorator.attributes.items()
        if isinstance(value, str) and _VALUE.search(value)
    }
    return found + [
        BridgeError(
            f"{each} looks like a secret, which would stand in the DAG file for everybody to "
            "read. Use @secrets, or read it in the step."
        )
        for each in sorted(said)
    ]
