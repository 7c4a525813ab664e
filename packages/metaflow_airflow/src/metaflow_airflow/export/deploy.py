"""`airflow create` and `delete`: nothing is replaced until it is known to be good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metaflow_airflow.airflow_api.assets import known_assets
from metaflow_airflow.airflow_api.client import AirflowClient, NotFoundError
from metaflow_airflow.airflow_api.runs import FlowRun, runs_under_way
from metaflow_airflow.airflow_api.settings import URL, setting
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.export.check_triggers import notes, refuse_circle
from metaflow_airflow.export.exporter import Export, dags_folder, is_read, target_of
from metaflow_airflow.export.places import DagFile
from metaflow_airflow.export.publish import find_publication
from metaflow_airflow.export.wait_for_dag import DagWait, NotLoadedError
from metaflow_airflow.plan.explanation import starts

_SHOWN = 3  # runs that go on


@dataclass(frozen=True)
class TokenOptions:
    """What the command line says of the production token."""

    authorize: str | None = None
    given: str | None = None
    generate: bool = False


@dataclass(frozen=True)
class Exported:
    """An export that is in place.

    Args:
        url: of the DAG in Airflow, where it was asked.
    """

    dag_id: str
    file: str
    production_token: str
    url: str | None


def deploy(
    export: Export,
    file: str | None,
    *,
    token: TokenOptions,
    wait: int,
    ready: Callable[[], None],
    tell: Callable[..., None],
) -> Exported:
    """Refuse early, package, put the file in place in one move, wait until Airflow has it.

    Args:
        file: where the DAG file goes; None: the DAGs folder.
        wait: seconds; 0: Airflow is not asked.
        ready: called when nothing is refused any more, before the long work.
        tell: called with each line for the user, in which *stars* mark names unless no_bold is set.

    Raises:
        BridgeError: nothing has changed, or Airflow does not take the file and it is taken back.
    """
    dag_id = export.dag_id
    target = target_of(file, dag_id)
    target.place.check()
    plan = export.check()
    client = AirflowClient.from_settings() if wait and setting(URL) and is_read(file) else None
    if client:
        client.check()
        export.check_pool(client)
        export, different = export.suited_to(plan, client)
        if different:
            tell(different)
            plan = export.plan()
        assets = known_assets(client) if plan.triggers else []
        refuse_circle(plan, assets)
        for note in notes(plan, assets):
            tell(note)
    folder = dags_folder() if is_read(file) else None
    publication = find_publication(dag_id, target, folder, client)
    if client and publication.former and not target.place.version():
        _tell_of_runs(client, dag_id, target, tell)
    ready()
    tell(f"Exporting *{dag_id}* as an Airflow DAG...")
    production_token = export.token(token.authorize, token.given, token.generate)
    text, package = export.compile(plan, production_token)
    tell(str(package))
    if package.beside:
        tell(f"It brings {', '.join(package.beside)}, from beside neither flow nor packages.")
    watch = DagWait(client, dag_id, target, wait, tell) if client else None
    path = publication.put(text)
    version = target.place.version()
    tell(f"DAG *{dag_id}* written to *{path}*{f', version {version}' if version else ''}.")
    url = None
    if client and watch:
        try:
            watch.until_loaded(text)
        except NotLoadedError as error:
            raise BridgeError(f"{error}\n{publication.take_back(text)}") from error
        except KeyboardInterrupt:
            tell(f"*{path}* stays in place: Airflow has it when it looks next.")
            raise
        url = f"{client.url}/dags/{dag_id}"
        tell(f"Airflow has it: {url}")
    for line in starts(plan):
        text = f"It {line.strip()}." if line.startswith("starts") else f"  {line.strip()}."
        tell(text, no_bold=True)  # a cron expression has stars of its own
    return Exported(dag_id, path, production_token, url)


def delete(dag_id: str, file: str | None, *, tell: Callable[[str], None]) -> None:
    """Remove all files of a DAG, then what Airflow recorded of it: it is not loaded again.

    Raises:
        BridgeError: there is none, runs of it go on, or a file of it is not to be found from here.
    """
    client = AirflowClient.from_settings()
    target = target_of(file, dag_id)
    client.check()
    if under_way := runs_under_way(client, dag_id):
        raise BridgeError(
            f"{_names(under_way)}: a run whose DAG is deleted never ends. Wait, or end "
            f"{'it' if len(under_way) == 1 else 'them'} first (airflow terminate RUN-ID)."
        )
    removed = find_publication(dag_id, target, dags_folder(), client).remove()
    try:
        client.delete_dag(dag_id)
    except NotFoundError:
        if not removed:
            raise
        tell(f"Airflow at {client.url} did not have *{dag_id}*.")


def _tell_of_runs(
    client: AirflowClient, dag_id: str, target: DagFile, tell: Callable[[str], None]
) -> None:
    """Say what an export does to runs where Airflow keeps no versions of DAG files."""
    if under_way := runs_under_way(client, dag_id):
        tell(
            f"{_names(under_way)}: *{target.place}* has no versions, so Airflow goes on with this "
            "export. Steps that it renames or no longer has fail there. A versioned DAG bundle "
            "keeps each run as it began (docs/bundles.md)."
        )


def _names(runs: Sequence[FlowRun]) -> str:
    shown = ", ".join(run.run_id for run in runs[:_SHOWN])
    more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
    return f"Run {shown} goes on" if len(runs) == 1 else f"Runs {shown}{more} go on"
