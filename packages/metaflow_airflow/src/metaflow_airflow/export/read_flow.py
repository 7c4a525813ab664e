"""The edge to a flow that is about to be exported: its options, decorators and settings."""

from __future__ import annotations

import sys
from typing import Any

from metaflow_airflow.compat.metaflow_export import attached_decorators, config_values
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.plan.step import Python

# Decorators that the plan carries out itself; the step need not see them again.
_PLANNED = ("retry", "environment", "kubernetes")

# Settings of whoever exports that a step needs too; a worker that sets them itself wins.
_SETTINGS = (
    "S3_ENDPOINT_URL",
    "DATATOOLS_S3ROOT",
    "CARD_S3ROOT",
    "SERVICE_INTERNAL_URL",
    "ARGO_EVENTS_INTERNAL_WEBHOOK_URL",
    "ARGO_EVENTS_WEBHOOK_AUTH",
    "CARD_GSROOT",
    "CARD_AZUREROOT",
    "AZURE_STORAGE_BLOB_SERVICE_ENDPOINT",
    "DEFAULT_SECRETS_BACKEND_TYPE",
    "AWS_SECRETS_MANAGER_DEFAULT_REGION",
    "GCP_SECRET_MANAGER_PREFIX",
    "AZURE_KEY_VAULT_PREFIX",
)


def read_options(obj: Any) -> tuple[str, ...]:
    """The flow's top-level options as every step gets them."""
    from metaflow.decorators import flow_decorators
    from metaflow.user_configs.config_options import ConfigInput
    from metaflow.util import dict_to_cli_options

    options: dict[str, Any] = {}
    for decorator in flow_decorators(obj.flow):
        options.update(decorator.get_top_level_options())
    given = [f"--metadata={obj.metadata.TYPE}"]
    if obj.environment.TYPE != "local":
        given.append(f"--environment={obj.environment.TYPE}")
    for name, part in (("event-logger", obj.event_logger), ("monitor", obj.monitor)):
        if not part.TYPE.startswith("null"):
            given.append(f"--{name}={part.TYPE}")
    # The values themselves, as they are now, travel in the code package.
    for name in config_values(obj.flow):
        given += ["--config-value", name, ConfigInput.make_key_name(name)]
    return (*given, *(str(option) for option in dict_to_cli_options(options)))


def read_attached(obj: Any) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Specs of the decorators that the command line attached (`--with`).

    Returns:
        those that every step got, and those that only some steps got, by step.
    """
    attached = {
        node.name: tuple(
            decorator.make_decorator_spec()
            # As `run` hands them to its steps.
            for decorator in attached_decorators(node)
            if getattr(decorator, "name", None) not in _PLANNED
        )
        for node in obj.graph
    }
    first = next(iter(attached.values()))
    shared = tuple(spec for spec in first if all(spec in specs for specs in attached.values()))
    return shared, {
        name: tuple(spec for spec in specs if spec not in shared)
        for name, specs in attached.items()
    }


def read_pod_secrets() -> tuple[str, ...]:
    """Names of the Kubernetes secrets that the site gives to every pod."""
    from metaflow.metaflow_config import KUBERNETES_SECRETS

    return tuple(filter(None, (KUBERNETES_SECRETS or "").split(",")))


def read_pythons(obj: Any) -> dict[str, Python]:
    """What the flow's --environment answers for each step; empty for the local one.

    Raises:
        BridgeError: it resolved packages for another system than the one that steps run on.
    """
    environment = obj.environment
    if environment.TYPE == "local":
        return {}
    if environment.TYPE in ("conda", "pypi") and sys.platform != "linux":
        raise BridgeError(
            f"--environment={environment.TYPE} resolves packages for the machine that exports, "
            f"which is {sys.platform}, but steps run on Linux. Export from Linux, or use "
            "--environment=uv, which resolves for every system."
        )
    return {
        node.name: Python(
            str(environment.executable(node.name)),
            tuple(environment.bootstrap_commands(node.name, obj.flow_datastore.TYPE)),
        )
        for node in obj.graph
    }


def read_settings() -> dict[str, str]:
    """Metaflow settings of whoever exports, without secrets, for workers that have none."""
    from metaflow import metaflow_config

    values = {name: getattr(metaflow_config, name, None) for name in _SETTINGS}
    root = metaflow_config.DATASTORE_SYSROOT_S3
    for name, folder in (("DATATOOLS_S3ROOT", "data"), ("CARD_S3ROOT", "mf.cards")):
        if root and values[name] == f"{root.rstrip('/')}/{folder}":
            del values[name]
    settings = {f"METAFLOW_{name}": str(value) for name, value in values.items() if value}
    if url := settings.pop("METAFLOW_SERVICE_INTERNAL_URL", None):
        settings["METAFLOW_SERVICE_URL"] = url
    if url := settings.pop("METAFLOW_ARGO_EVENTS_INTERNAL_WEBHOOK_URL", None):
        settings["METAFLOW_ARGO_EVENTS_WEBHOOK_URL"] = url
    else:
        settings.pop("METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH", None)
    return settings
