"""What a fork of Airflow's parent becomes: one of the servers, or a job on the database."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from setproctitle import setproctitle

API_SERVER = "api-server"
SCHEDULER = "scheduler"
DATABASE = "database"
LOST = "lost-tasks"


@dataclass(frozen=True)
class Job:
    """What a child becomes once it may go."""

    name: str
    argv: list[str]
    log: str
    gate: int


def become(job: Job) -> NoReturn:
    """Turn this fork into the server that the job names, and end with it.

    Without Python's own way out, which frees every object one by one: three seconds, and a copy
    of each page that was shared.
    """
    code = 1
    try:
        _run(job)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python itself would print at the end
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(job: Job) -> None:
    os.setsid()
    setproctitle(f"airflow {job.name}")
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if job.name == API_SERVER:
        warm_api_server()
    allowed = os.read(job.gate, 1)
    os.close(job.gate)
    if not allowed:
        return  # the parent died
    if job.name == DATABASE:
        prepare_database(job.argv)
    elif job.name == LOST:
        write_off_tasks([int(pid) for pid in job.argv])
    else:
        run_airflow(job.argv)


def warm_api_server() -> None:
    """Build the versions of the API that tasks use.

    Airflow builds them at the first request: four seconds that no task need wait for.
    """
    import httpx

    gc.disable()  # it finds nothing here, and looking takes a third of the time
    from airflow.api_fastapi.main import app

    async def ask() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            (await client.get("/execution/health")).raise_for_status()

    asyncio.run(ask())
    gc.collect()
    gc.freeze()
    gc.enable()


def run_airflow(argv: list[str]) -> None:
    """Run `airflow ARGV` in this process."""
    from airflow import __main__ as airflow

    sys.argv = ["airflow", *argv]
    airflow.main()  # type: ignore[no-untyped-call]


def prepare_database(dead: list[str]) -> None:
    """Make or migrate the tables, and write off the jobs of servers known to be `dead`.

    Airflow waits for a heartbeat to grow old before another scheduler or triggerer takes over;
    here the supervisor knows at once. `dead` are Airflow's job types, such as "SchedulerJob".
    """
    run_airflow(["db", "migrate"])
    from airflow.jobs.job import Job as AirflowJob
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(AirflowJob)
            .where(AirflowJob.job_type.in_(dead), AirflowJob.end_date.is_(None))
            .values(state="failed", end_date=datetime.now(UTC))
        )


def write_off_tasks(pids: list[int]) -> None:
    """Let the scheduler take running tasks of these dead processes for silent, within seconds."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.pid.in_(pids), TaskInstance.state == TaskInstanceState.RUNNING)
            .values(last_heartbeat_at=datetime.fromtimestamp(0, UTC))
        )
