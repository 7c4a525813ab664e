"""The servers of one stack, built from its state: who they are and what they need."""

from __future__ import annotations

import json
from dataclasses import dataclass

from embedded.environment import base_environment, process_environment, server_environment
from embedded.servers.airflow import AirflowServer, airflow_servers
from embedded.servers.airflow_parent import AirflowParent
from embedded.servers.base import Server
from embedded.servers.postgres import Postgres
from embedded.servers.seaweedfs import SeaweedFS
from embedded.state import State


@dataclass(frozen=True)
class Fleet:
    """The servers, by kind."""

    postgres: Postgres
    s3: SeaweedFS
    parent: AirflowParent
    airflow: list[AirflowServer]

    @property
    def servers(self) -> list[Server]:
        """All servers, in the order in which they are stopped."""
        return [*self.airflow, self.parent, self.s3, self.postgres]


def airflow_environment(state: State) -> dict[str, str]:
    """Return the environment of Airflow's servers: a command that has it ends with them."""
    return build(state).parent.environment


def build(state: State) -> Fleet:
    """Return the servers of the stack in `state`, with the ports that stack.json names.

    Writes the passwords file that Airflow's login reads.
    """
    ports: dict[str, int] = state.read()["ports"]
    credentials = state.credentials()
    env = base_environment(state) | process_environment(state)
    home = state.folder("airflow")
    logins = (credentials["airflow"], credentials["publisher"])
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({login["username"]: login["password"] for login in logins}))

    postgres = Postgres(
        data=state.folder("postgres"), port=ports["postgres"], log=state.log("postgres"), env=env,
        **credentials["postgres"],
    )  # fmt: skip
    s3 = SeaweedFS(
        data=state.folder("s3"),
        ports={name: port for name, port in ports.items() if name.startswith("s3")},
        log=state.log("s3"), credentials=credentials["s3"], env=env,
    )  # fmt: skip
    parent = AirflowParent(
        home=home, log=state.log("airflow-parent"),
        env=env | server_environment(state, ports, credentials, postgres.url),
    )  # fmt: skip
    return Fleet(
        postgres, s3, parent,
        airflow_servers(parent, logs=state.folder("logs"), port=ports["airflow"]),
    )  # fmt: skip
