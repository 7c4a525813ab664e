"""What a site lets the pods of flows ask for. Pure.

Whoever writes a flow writes its decorators, and whoever exports it the DAG file; the triggerer's
environment belongs to neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_SECURITY = "METAFLOW_AIRFLOW_POD_SECURITY"
_NAMESPACES = "METAFLOW_AIRFLOW_POD_NAMESPACES"
_SECRETS = "METAFLOW_AIRFLOW_POD_SECRETS"
_ACCOUNTS = "METAFLOW_AIRFLOW_POD_SERVICE_ACCOUNTS"
_READ_ONLY = "METAFLOW_AIRFLOW_POD_READ_ONLY"

# Kubernetes' own words for what a pod may ask for, the strictest first.
_STANDARDS = ("restricted", "baseline", "privileged")
_PARTS_OF_HOST = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = ("name", "emptyDir", "persistentVolumeClaim")
_BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
_SECCOMP = ("RuntimeDefault", "Localhost")
_TMP = "/tmp"  # noqa: S108 - in the container


class OutOfBoundsError(Exception):
    """A pod asks for what the site does not allow; the message says what and whose say it is."""


@dataclass(frozen=True)
class Bounds:
    """What the site says; `from_environment` reads it.

    Args:
        security: Kubernetes' standard that pods have to pass. namespaces, secrets, accounts:
            patterns of names that a pod may name; None for any. read_only: whether a container
            that says nothing of it gets a root file system that it cannot write to.
    """

    security: str = _STANDARDS[0]
    namespaces: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    read_only: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Bounds:
        """Read the triggerer's environment.

        Raises:
            OutOfBoundsError: no such standard.
        """
        security = environ.get(_SECURITY, "").strip() or _STANDARDS[0]
        if security not in _STANDARDS:
            raise OutOfBoundsError(
                f"{_SECURITY} of the triggerer is {security!r}; give {', '.join(_STANDARDS)}"
            )
        return cls(
            security=security,
            namespaces=_names(environ.get(_NAMESPACES)),
            secrets=_names(environ.get(_SECRETS)),
            accounts=_names(environ.get(_ACCOUNTS)),
            read_only=environ.get(_READ_ONLY, "").lower() in ("1", "true", "yes"),
        )

    def applied(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """The pod with what the site adds.

        Raises:
            OutOfBoundsError: the pod asks for more than the site allows.
        """
        spec: Mapping[str, Any] = pod["spec"]
        self._check_names(pod["metadata"]["namespace"], spec)
        if self.security != "privileged":
            for wish in _wishes(spec, strict=self.security == "restricted"):
                raise OutOfBoundsError(
                    f"it asks for {wish}, and this site's pods have to pass the standard "
                    f"{self.security} ({_SECURITY} of Airflow's triggerer)"
                )
        return {**pod, "spec": _read_only(spec) if self.read_only else dict(spec)}

    def _check_names(self, namespace: str, spec: Mapping[str, Any]) -> None:
        account = spec.get("serviceAccountName")
        for kind, names, allowed, variable in (
            ("the namespace", [namespace], self.namespaces, _NAMESPACES),
            ("the secret", list(_secrets(spec)), self.secrets, _SECRETS),
            ("the service account", [account] if account else [], self.accounts, _ACCOUNTS),
        ):
            for name in names:
                if allowed is not None and not any(fnmatchcase(name, each) for each in allowed):
                    raise OutOfBoundsError(
                        f"it names {kind} {name}, and this site allows "
                        f"{', '.join(allowed) or 'none'} ({variable} of Airflow's triggerer)"
                    )


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _secrets(spec: Mapping[str, Any]) -> Iterator[str]:
    for container in spec["containers"]:
        for source in container.get("envFrom", []):
            if "secretRef" in source:
                yield str(source["secretRef"]["name"])
    for each in spec.get("imagePullSecrets", []):
        yield str(each["name"])


def _wishes(spec: Mapping[str, Any], *, strict: bool) -> Iterator[str]:
    """What of a pod goes beyond baseline, or beyond restricted where that is `strict`."""
    for part in _PARTS_OF_HOST:
        if spec.get(part):
            yield part
    for volume in spec.get("volumes", []):
        for kind in volume.keys() - set(_VOLUMES):
            yield f"a volume of the kind {kind}"
    for each in (spec, *spec["containers"]):
        says = each.get("securityContext", {})
        yield from _beyond_baseline(says, strict)
        if strict:
            yield from _beyond_restricted(says)
        if any(port.get("hostPort") for port in each.get("ports", [])):
            yield "a port of the host"


def _beyond_baseline(says: Mapping[str, Any], strict: bool) -> Iterator[str]:
    if says.get("privileged"):
        yield "privileged"
    allowed = _RESTRICTED_CAPABILITIES if strict else _BASELINE_CAPABILITIES
    for name in (says.get("capabilities") or {}).get("add") or []:
        if name not in allowed:
            yield f"the capability {name}"
    if says.get("procMount") not in (None, "Default"):
        yield f"procMount {says['procMount']}"
    if (says.get("seccompProfile") or {}).get("type", _SECCOMP[0]) not in _SECCOMP:
        yield "no seccomp profile"
    if (says.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "no AppArmor profile"
    if (says.get("windowsOptions") or {}).get("hostProcess"):
        yield "a process of the host"


def _beyond_restricted(says: Mapping[str, Any]) -> Iterator[str]:
    if says.get("runAsUser") in (0, "0"):
        yield "root (run_as_user 0)"
    if says.get("runAsNonRoot") is False:
        yield "root (run_as_non_root false)"
    if says.get("allowPrivilegeEscalation"):
        yield "allow_privilege_escalation"
    if "capabilities" in says and "ALL" not in (says["capabilities"].get("drop") or []):
        yield "capabilities without drop: [ALL]"


def _read_only(spec: Mapping[str, Any]) -> dict[str, Any]:
    (first, *others) = spec["containers"]
    security = {"readOnlyRootFilesystem": True, **first.get("securityContext", {})}
    first = {**first, "securityContext": security}
    if not security["readOnlyRootFilesystem"]:
        return {**spec, "containers": [first, *others]}
    mounts, volumes = first.get("volumeMounts", []), spec.get("volumes", [])
    if all(mount["mountPath"] != _TMP for mount in mounts):
        mounts = [*mounts, {"name": "writable", "mountPath": _TMP}]
        volumes = [*volumes, {"name": "writable", "emptyDir": {}}]
    return {
        **spec,
        "volumes": volumes,
        "containers": [{**first, "volumeMounts": mounts}, *others],
    }
