"""What a step needs to know when it runs: the part of a plan that its DAG file says again.

Apart from the rest of the plan, which Airflow has no use for whenever it parses a DAG file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FORMAT = 2
"""Of a DAG file's words; raised when an older `MetaflowFlow` would read them wrongly."""

# What Metaflow says of the code packages that it makes today; a DAG file names only others.
CODE_METADATA = '{"version": 0, "archive_format": "tgz", "mfcontent_version": 1}'


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What a step runs in on Kubernetes: what @kubernetes says, with the site's defaults.

    Args:
        image: of the container. pull_policy: Always, IfNotPresent, Never; None: Kubernetes' own.
        namespace, service_account: None for the connection's, the namespace's.
        cpu: cores. memory, disk: MB. gpu: devices of gpu_vendor.
        tmpfs: MiB of memory as a folder at tmpfs_path. shared_memory: MiB at /dev/shm.
        volumes: mount path by persistent volume claim.
        secrets: names of Kubernetes secrets whose keys become variables.
        qos: Burstable, or Guaranteed, which makes the requests limits too.
        security: the container's security context, in the API's words.
        resources: further ones, by name (extended resources).
    """

    image: str
    pull_policy: str | None = None
    pull_secrets: tuple[str, ...] = ()
    namespace: str | None = None
    service_account: str | None = None
    cpu: float = 1
    memory: float = 4096
    disk: float = 10240
    gpu: int | None = None
    gpu_vendor: str = "nvidia"
    qos: str = "Burstable"
    resources: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    tmpfs: int | None = None
    tmpfs_path: str = "/metaflow_temp"
    shared_memory: int | None = None
    port: int | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Python:
    """What Metaflow's --environment answers for a step: how its Python comes to be there.

    Args:
        executable: a piece of shell. bootstrap: shell commands that stand before it.
    """

    executable: str
    bootstrap: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trigger:
    """An event that starts the flow.

    Args:
        name: of the event; a URI where it is the Airflow asset of that URI.
        kind: "event", or "run": the end of another flow's run.
        parameters: by the parameter that an event sets, the field of its payload.
        required: those of the parameters that have no default.
    """

    name: str
    kind: Literal["event", "run"] = "event"
    parameters: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    @property
    def is_uri(self) -> bool:
        """Whether it is the asset of a URI, whatever its name."""
        return "://" in self.name


@dataclass(frozen=True)
class PlannedStep:
    """One step of the flow as an Airflow task, whose id is its name.

    Args:
        after: the steps whose outcome it takes as input.
        each: the innermost foreach step open around it, for each of whose items it runs.
        over: the task whose list of items it is mapped over: `each`, or the one that collects them.
        depth: how many foreaches are open around it.
        chooses: the steps of which a switch picks one.
        may_skip: a switch stands before it, so that it may find that it was not chosen.
        loop: most iterations of a switch that may choose itself; None: it does not.
        retries, retry_delay: further attempts after a failure, seconds between them.
        user_retries: how many of the retries run the user's code again (the rest is @catch's).
        timeout: seconds of Metaflow's @timeout.
        execution_timeout: seconds after which Airflow ends the task; None: whatever runs it does.
        decorators: specs of decorators that the command line attached to this step alone.
        environment: variables of this step; never secrets.
        publishes: names or URIs of the Airflow assets of which it publishes an event when it has
            succeeded.
        pod: what it runs in; None for a process on the worker.
        python: where it has another one than the flow's other steps.
    """

    name: str
    after: tuple[str, ...] = ()
    each: str | None = None
    over: str | None = None
    depth: int = 0
    chooses: tuple[str, ...] = ()
    may_skip: bool = False
    loop: int | None = None
    retries: int = 0
    user_retries: int = 0
    retry_delay: int = 0
    timeout: int | None = None
    execution_timeout: int | None = None
    decorators: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    publishes: tuple[str, ...] = ()
    doc: str = ""
    pod: Pod | None = None
    python: Python | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def trigger_rule(self) -> str:
        """When Airflow starts it, in Airflow's word."""
        return trigger_rule(may_skip=self.may_skip)

    @property
    def task_retries(self) -> int:
        """Airflow's retries: all iterations of a loop run in one task, and each has its own."""
        return self.retries * (self.loop or 1)

    @property
    def seconds(self) -> int | None:
        """How long the task may take: each iteration of a loop has the timeout for itself."""
        return self.timeout * (self.loop or 1) if self.timeout else None


@dataclass(frozen=True)
class ExitHooks:
    """Functions of the flow's code that are called once when a run has ended.

    Args:
        on_success, on_error: import paths, or names of functions in the flow's file.
    """

    on_success: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """What a step needs to know of the deployment, besides its own plan.

    Args:
        script: the flow's file name inside the code package.
        code, code_sha, code_metadata: the code package in the datastore; "" until it is there.
        datastore, datastore_root: where artifacts live.
        options: the flow's top-level command line options, besides those of the datastore.
        decorators: specs of decorators that the command line attached to every step (`--with`).
        tags: tags of the run. namespace: None for the default one.
        owner: the user who deployed. production_token: the production namespace's name.
        environment: variables for all steps; never secrets.
        python: of its steps; None for the one that they find where they run.
        connection: the Airflow connection that gives steps their AWS credentials.
        json_parameters: names of the parameters of type JSON, whose texts are texts.
        null_parameters: those of them for which null is a value, as they have another default.
    """

    script: str
    code: str = ""
    code_sha: str = ""
    datastore: str = "s3"
    datastore_root: str = ""
    options: tuple[str, ...] = ()
    code_metadata: str = CODE_METADATA
    decorators: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    owner: str = ""
    production_token: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Python | None = None
    connection: str | None = None
    json_parameters: tuple[str, ...] = ()
    null_parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.script} ({self.code_sha[:12]})"


def items_task(foreach: str) -> str:
    """The task that gives the items of a foreach step as one list; no step's name has a dot."""
    return f"{foreach}.items"


def trigger_rule(*, may_skip: bool) -> str:
    """When a task starts: after a switch, one of those before it must have run, and none failed."""
    return "none_failed_min_one_success" if may_skip else "all_success"
