"""The plan: one frozen dataclass for each kind of thing that an exported DAG contains.

How a foreach runs on an orchestrator that cannot nest mapping. Every Metaflow task is one task
instance; a step at depth d is a task mapped over a flat list of index paths:

    start --> split --> train[i] --> score[i] --> pick --> end        Body(split): train, score
                                                                      mapped over split's own list

    start --> outer --> inner[i] --> (inner's items) --> work[k] --> regroup[i] --> end
              |                      |
              list of [i]            Items(inner): the lists of all inner[i] as one, [i, j] at k

Steps of one depth that follow each other without a barrier between them share a Body: an item goes
through them at its own pace. A nested foreach is a barrier: what stands before it and what joins it
are two Bodies over the same list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
class PlannedStep:
    """One step of the flow as an Airflow task (mapped over the items of foreach step `each`).

    Args:
        after: the steps whose outcome it takes as input.
        chooses: the steps of which a switch picks one.
        retries, retry_delay: Airflow's retries, seconds between them.
        user_retries: how many of the retries run the user's code again (the rest is @catch's).
        timeout: seconds of Metaflow's @timeout.
        decorators: specs of decorators that the command line attached to this step alone.
        pod: what it runs in; None for a process on the worker.
        python: where it has another one than the flow's other steps.
    """

    name: str
    after: tuple[str, ...] = ()
    each: str | None = None
    chooses: tuple[str, ...] = ()
    retries: int = 0
    user_retries: int = 0
    retry_delay: int = 0
    timeout: int | None = None
    decorators: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    doc: str = ""
    pod: Pod | None = None
    python: Python | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Body:
    """Steps that run one after the other for each item of a foreach step.

    Args:
        name: the id of its task group, which no step has.
    """

    each: str
    steps: tuple[PlannedStep, ...]
    name: str


@dataclass(frozen=True)
class Items:
    """A task that flattens the lists of a nested foreach step's tasks into one."""

    foreach: str

    @property
    def name(self) -> str:
        """Its task id; no step's name contains a dot."""
        return f"{self.foreach}.items"


Block = PlannedStep | Body | Items


@dataclass(frozen=True)
class Parameter:
    """A flow's parameter as a typed field of Airflow's trigger form.

    Args:
        types: JSON schema types that it takes.
        default: as JSON; only meaningful when not required.
    """

    name: str
    types: tuple[str, ...]
    default: Any = None
    required: bool = False
    description: str = ""


@dataclass(frozen=True)
class Sensor:
    """Something that a run waits for: an Airflow sensor before the start step.

    Args:
        operator: ExternalTaskSensor or S3KeySensor. arguments: of its constructor.
    """

    operator: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExitHooks:
    """Functions of the flow's code that are called once when a run has ended.

    Args:
        on_success, on_error: import paths, or names of functions in the flow's file.
    """

    on_success: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """When the DAG starts by itself: a five-field cron expression in a time zone."""

    cron: str
    timezone: str = "UTC"


@dataclass(frozen=True)
class Deployment:
    """What a step needs to know of the deployment, besides its own plan.

    Args:
        script: the flow's file name inside the code package.
        code, code_sha, code_metadata: the code package in the datastore.
        datastore, datastore_root: where artifacts live.
        options: the flow's top-level command line options, besides those of the datastore.
        decorators: specs of decorators that the command line attached to every step (`--with`).
        tags: tags of the run. namespace: None for the default one.
        owner: the user who deployed. production_token: the production namespace's name.
        python: of its steps; None for the one that they find where they run.
        connection: the Airflow connection that gives steps their AWS credentials.
    """

    script: str
    code: str
    code_sha: str
    datastore: str
    datastore_root: str
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

    def __str__(self) -> str:
        return f"{self.script} ({self.code_sha[:12]})"


@dataclass(frozen=True)
class Plan:
    """A whole DAG.

    Args:
        blocks: in an order in which each stands after what it depends on.
        max_workers: how many steps of a run may run at once.
        pool: Airflow's pool for the steps. timeout: seconds for a whole run.
        kubernetes_conn_id: the Airflow connection to the cluster; None for Airflow's default one.
        pods_on: who waits for the pods, where it is not the triggerer.
    """

    dag_id: str
    flow: str
    deployment: Deployment
    blocks: tuple[Block, ...]
    parameters: tuple[Parameter, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    hooks: ExitHooks | None = None
    schedule: Schedule | None = None
    doc: str = ""
    paused: bool | None = None
    max_workers: int | None = None
    pool: str | None = None
    timeout: int | None = None
    kubernetes_conn_id: str | None = None
    pods_on: str | None = None

    def steps(self) -> Iterator[PlannedStep]:
        """All steps, in the blocks' order."""
        for block in self.blocks:
            if isinstance(block, Body):
                yield from block.steps
            elif isinstance(block, PlannedStep):
                yield block
