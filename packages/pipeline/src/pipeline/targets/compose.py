"""The stack in containers (compose.yaml at the root), as the pipeline handles it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError
from embedded import flows_env, processes
from embedded.environment import REGION, base_environment, metaflow_user
from embedded.errors import StackError
from metaflow_airflow.bundle.manifest import POINTER
from metaflow_airflow.bundle.objects import S3Objects
from metaflow_airflow.bundle.versions import Versions

from pipeline import s3
from pipeline.targets import bundle
from pipeline.targets.base import Target
from pipeline.targets.dag_files import written_in_s3
from pipeline.targets.docker import docker
from pipeline.targets.env_file import EnvFile
from pipeline.targets.export import export_all

_POD_DOCKERFILE = "packages/pod_image/Dockerfile"
_FLOWS, _DATA = "s3://dags/flows", "s3://dags/data_engineering"
# Where steps reach the services: names of the stack's network, which k3s knows too.
_METADATA_INSIDE = "http://metadata:8080"
NAMESPACE = "flows"
# k3s' own `ctr` knows its socket and the kubelet's namespace.
_IMPORT = ("ctr", "images", "import", "-")


class ComposeTarget(Target):
    """The containers of one checkout.

    `docker compose` reads its own environment, so COMPOSE_FILE and .env choose what runs.
    """

    name = "compose"

    # -- the servers

    @property
    def is_running(self) -> bool:
        """Whether any of the containers runs."""
        return bool(self._compose("ps", "--services", "--status", "running").split())

    def bring_up(self) -> None:
        """Start what is missing, wait until a DAG can run, and deploy both teams' code.

        Raises StackError with the end of the log of what went wrong.
        """
        self.state.create()
        if self._env.complete():
            self._report("secrets", f"drawn into {self._env.path}")
        sync = self._start_sync()
        try:
            self._report("containers", "building and starting")
            self._compose(
                "up",
                "--build",
                "--detach",
                "--wait",
                "--wait-timeout",
                self._settings["START_SECONDS"],
            )
            self._report("containers", "ready")
        except BaseException:
            if sync is not None:
                processes.end(processes.tree(sync.pid))
            raise
        if sync is not None:
            flows_env.finish_sync(self.state, self.root, sync.wait())
        if self._profile == "k3s":
            self._load_pod_image()
        self._deploy()

    def rotate(self) -> list[str]:
        """Draw all passwords and keys anew and bring them to what runs; return their names."""
        names = self._env.rotate()
        if self.is_running:
            self.revive()
        return names

    def down(self) -> None:
        """Stop the containers; volumes stay."""
        self._compose("down")

    def failures(self) -> list[tuple[str, str]]:
        """Return (name, report with the end of its log) of each server that does not run."""
        # Not `docker compose ps`: this is asked every second, and that costs ten times as much.
        words = (
            "ps", "--all", "--filter", "status=exited",
            "--filter", f"label=com.docker.compose.project={self._project}",
            "--format", '{{.Label "com.docker.compose.service"}}\t{{.Status}}',
        )  # fmt: skip
        answer = self._docker(*words)
        ended = (line.split("\t") for line in answer.splitlines())
        return [
            (service, f"{status.lower()}. The end of its log:\n{self.log_end(service)}")
            for service, status in ended
            if not service.endswith("-init")
        ]

    def revive(self) -> None:
        """Start what ended; StackError when it does not come back."""
        self._compose("up", "--detach", "--wait", "--wait-timeout", self._settings["START_SECONDS"])

    def log_end(self, server: str) -> str:
        """Return the last lines of a service's log."""
        return self._compose("logs", "--no-log-prefix", "--tail", "15", server)

    # -- addresses

    @property
    def airflow_url(self) -> str:
        """Where Airflow's API and user interface are."""
        return f"http://{self._settings['BIND_ADDRESS']}:{self._settings['AIRFLOW_PORT']}"

    @property
    def airflow_login(self) -> tuple[str, str]:
        """User name and password of Airflow's administrator."""
        return self._settings["AIRFLOW_ADMIN"], self._settings["AIRFLOW_ADMIN_PASSWORD"]

    @property
    def s3_url(self) -> str:
        """The S3 endpoint as this machine reaches it."""
        return f"http://{self._settings['PODS_BIND_ADDRESS']}:{self._settings['S3_PORT']}"

    # -- what the pipeline asks for

    def flow_dag(self, name: str) -> str:
        """Where an exported flow's file of that name goes."""
        return f"{_FLOWS}/{name}"

    data_dag = f"{_DATA}/data_engineering/dags/data_engineering_dag.py"

    def changed(self, file: str) -> float | None:
        """When an object was written last, rounded up to S3's whole seconds."""
        try:
            if file == self.data_dag:
                # Its DAG file imports the package: it is read again with each version.
                return written_in_s3(self.s3("DE_DEPLOY"), _DATA, POINTER)
            return written_in_s3(self.s3("ML_DEPLOY"), _FLOWS, file.removeprefix(f"{_FLOWS}/"))
        except (BotoCoreError, ClientError) as error:
            raise StackError(f"cannot look at {file}: {error}") from error

    @property
    def export_options(self) -> tuple[str, ...]:
        """Steps run as pods where there is a cluster."""
        return ("--with", "kubernetes") if self._profile else ()

    @property
    def bundles(self) -> list[Versions]:
        """Both teams'."""
        return [
            Versions(S3Objects(self.s3(user), "dags", place.rpartition("/")[2]))
            for user, place in (("ML_DEPLOY", _FLOWS), ("DE_DEPLOY", _DATA))
        ]

    def clean_airflow(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run it in the scheduler's container, which has the logs too."""
        said = self._compose(
            "exec", "-T", "scheduler", "python", "-m", "airflow_service.container", "clean", *words
        )
        return subprocess.CompletedProcess([*words], 0, said, "")

    def data_environment(self) -> dict[str, str]:
        """Return the whole environment of a command of the data team."""
        found = base_environment(self.state) | self._s3_environment("DE_RUN")
        return found | {"TRIP_DATA_ROOT": "s3://trip-data"}

    @property
    def export_stamp(self) -> Path:
        """The file that tells which code was exported last."""
        return self.state.root / "compose-exported.json"

    place = "containers"

    def up_command(self, stack: str) -> str:
        """Return Docker's own command."""
        return "docker compose up --wait"

    @property
    def keeps(self) -> str:
        """Where keys, logs and data are, in words."""
        return f"keys are in {self._env.path}, logs in `docker compose logs`, data in volumes"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a flow command: of an ML engineer, who may deploy."""
        username, password = self.airflow_login
        metadata = f"http://{self._settings['PODS_BIND_ADDRESS']}:{self._settings['METADATA_PORT']}"
        pods = {
            "METAFLOW_KUBERNETES_NAMESPACE": NAMESPACE,
            "METAFLOW_KUBERNETES_SECRETS": "flows",
            "METAFLOW_KUBERNETES_CONTAINER_IMAGE": self._settings["POD_IMAGE"],
            "METAFLOW_KUBERNETES_IMAGE_PULL_POLICY": "IfNotPresent",
            # Steps that say nothing of themselves: 4 GB each would leave room for one.
            "METAFLOW_KUBERNETES_CPU": "0.5",
            "METAFLOW_KUBERNETES_MEMORY": "1024",
        }
        return (
            base_environment(self.state)
            | self._s3_environment("ML_DEPLOY")
            | {
                "AWS_EC2_METADATA_DISABLED": "true",
                "METAFLOW_DEFAULT_DATASTORE": "s3",
                "METAFLOW_DATASTORE_SYSROOT_S3": "s3://metaflow/metaflow",
                "METAFLOW_S3_WORKER_COUNT": "4",
                "METAFLOW_DEFAULT_METADATA": "service",
                "METAFLOW_SERVICE_URL": metadata,
                "METAFLOW_SERVICE_INTERNAL_URL": (
                    metadata if self._profile == "cluster" else _METADATA_INSIDE
                ),
                "METAFLOW_HOME": str(self.state.folder("metaflow-home")),
                "METAFLOW_USER": metaflow_user(),
                "METAFLOW_AIRFLOW_DAGS_FOLDER": _FLOWS,
                "METAFLOW_AIRFLOW_REST_API_URL": self.airflow_url,
                "METAFLOW_AIRFLOW_REST_API_USERNAME": username,
                "METAFLOW_AIRFLOW_REST_API_PASSWORD": password,
                "TRIP_DATA_ROOT": "s3://trip-data",
                **(pods if self._profile else {}),
            }
        )

    # -- how

    def _load_pod_image(self) -> None:
        """Build the image of the steps and put it into k3s, which has no registry to ask."""
        image = self._settings["POD_IMAGE"]
        self._docker("build", "--file", _POD_DOCKERFILE, "--tag", image, ".")
        # By way of a file: of two commands in a pipe the wrong one would name the cause.
        archive = self.state.root / "pod-image.tar"
        try:
            self._docker("save", "--output", str(archive), image)
            with archive.open("rb") as content:
                self._compose("exec", "-T", "k3s", *_IMPORT, stdin=content)
        finally:
            archive.unlink(missing_ok=True)
        self._report("k3s", f"has the image {image}")

    def _deploy(self) -> None:
        """Put the data team's package into its bundle, and export the flows."""
        package = self.root / "packages" / "data_engineering" / "src" / "data_engineering"
        changed = bundle.publish(package, _DATA, self.s3("DE_DEPLOY"))
        self._report("data_engineering", f"{changed} files changed in {_DATA}")
        exported = export_all(self)
        self._report("flows", f"exported to {_FLOWS}: {', '.join(exported) or 'nothing new'}")

    @property
    def _project(self) -> str:
        return os.environ.get("COMPOSE_PROJECT_NAME", "platform")

    @property
    def _profile(self) -> str:
        return self._settings["COMPOSE_PROFILES"]

    @cached_property
    def _env(self) -> EnvFile:
        return EnvFile(self.root)

    @cached_property
    def _settings(self) -> dict[str, str]:
        return self._env.settings()

    def s3(self, user: str) -> Any:
        """Return a client with the keys of a user: DE_DEPLOY, DE_RUN, ML_DEPLOY or ML_RUN."""
        return s3.client(self._s3_environment(user))

    def _s3_environment(self, user: str) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self._settings[f"{user}_S3_KEY"],
            "AWS_SECRET_ACCESS_KEY": self._settings[f"{user}_S3_SECRET"],
            "AWS_DEFAULT_REGION": REGION,
            # Not METAFLOW_S3_ENDPOINT_URL: that would go into the DAG file, and steps reach S3
            # at another address.
            "AWS_ENDPOINT_URL": self.s3_url,
            "AWS_ALLOW_HTTP": "true",
        }

    def _start_sync(self) -> subprocess.Popen[bytes] | None:
        if flows_env.is_current(self.state, self.root):
            return None
        return flows_env.start_sync(self.state, self.root, base_environment(self.state))

    def _compose(self, *words: str, stdin: IO[bytes] | None = None) -> str:
        return self._docker("compose", "--progress", "plain", *words, stdin=stdin)

    def _docker(self, *words: str, stdin: IO[bytes] | None = None) -> str:
        return docker(words, self.root, stdin, float(self._settings["DOCKER_SECONDS"]))
