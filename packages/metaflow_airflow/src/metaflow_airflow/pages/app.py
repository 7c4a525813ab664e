"""The application behind the tabs; Airflow's API server serves it below /metaflow.

Airflow's login and its permission to see that DAG guard every route.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape

from metaflow_airflow.pages import PREFIX, figures, overviews, views
from metaflow_airflow.pages.page_error import PageError
from metaflow_airflow.pages.task_address import TaskAddress
from metaflow_airflow.pages.words import IN_SCRIPT, WORDS, say

# Ours loads nothing but what we serve; the card stands in a frame of its own.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'self'"
)
# A card is a page of whoever wrote the flow: its scripts run, in an origin that is nobody's. It
# reaches no cookie, no frame around it and no server.
_CARD_POLICY = (
    "sandbox allow-scripts; default-src 'none'; "
    "script-src 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'unsafe-inline' data:; "
    "img-src data: blob:; font-src data:; connect-src 'none'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'"
)

_templates = Environment(
    loader=PackageLoader("metaflow_airflow.pages", "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["seconds"] = figures.seconds
_templates.filters["bytes"] = figures.size
_templates.globals["say"] = say
_templates.globals["script_words"] = json.dumps({word: WORDS[word] for word in IN_SCRIPT})

Address = Annotated[TaskAddress, Depends()]

app = FastAPI(title="Metaflow", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

_sees_tasks = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
_sees_logs = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS))
_sees_runs = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
_sees_code = Depends(requires_access_dag("GET", DagAccessEntity.CODE))


def readable_dags(user: GetUserDep) -> set[str]:
    """Ids of the DAGs that the reader may see.

    Airflow's own dependency for it looks into the application that serves the request: ours.
    """
    return get_auth_manager().get_authorized_dag_ids(user=user)


@app.exception_handler(PageError)
async def show_error(request: Request, error: PageError) -> HTMLResponse:
    """A page that says in one sentence why there is no other."""
    return _page(request, "error.html", status=error.status, sentence=str(error))


@app.get("/task", dependencies=[_sees_tasks])
async def task(request: Request, session: SessionDep, address: Address) -> HTMLResponse:
    """The tab of a task instance: cards, artifacts, where it stands in Metaflow."""
    seen = await views.task_page(session, address)
    return _page(request, "task.html", **seen)


@app.get("/log", dependencies=[_sees_logs])
async def log(session: SessionDep, address: Address, name: str) -> Response:
    """One of a task's log files as Metaflow has it, as plain text."""
    text = await views.log_file(session, address, name)
    return Response(text, media_type="text/plain; charset=utf-8", headers=_headers(_PAGE_POLICY))


@app.get("/artifact", dependencies=[_sees_tasks])
async def artifact(
    request: Request, session: SessionDep, address: Address, name: str
) -> HTMLResponse:
    """What can be shown of an artifact without running code of its flow."""
    seen = await views.artifact_preview(session, address, name)
    return _page(request, "preview.html", **seen)


@app.get("/card", dependencies=[_sees_tasks])
async def card(session: SessionDep, address: Address, name: str) -> Response:
    """A card's own HTML, which nobody trusts."""
    html = await views.card_file(session, address, name)
    return Response(html, media_type="text/html; charset=utf-8", headers=_headers(_CARD_POLICY))


@app.get("/run", dependencies=[_sees_runs, _sees_tasks])
async def run(
    request: Request,
    session: SessionDep,
    readable: Annotated[set[str], Depends(readable_dags)],
    dag_id: str,
    run_id: str,
    columns: str = "",
) -> HTMLResponse:
    """The tab of a DAG run: parameters, tags, all tasks with their cards, what led where."""
    seen = await overviews.run_page(session, dag_id, run_id, columns, readable)
    return _page(request, "run.html", **seen)


@app.get("/dag", dependencies=[_sees_runs, _sees_code])
async def dag(
    request: Request, session: SessionDep, dag_id: str, metrics: str = ""
) -> HTMLResponse:
    """The tab of a DAG: its deployment, its newest runs beside each other."""
    return _page(request, "dag.html", **await overviews.dag_page(session, dag_id, metrics))


def _page(request: Request, template: str, status: int = 200, **seen: Any) -> HTMLResponse:
    base = request.scope.get("root_path", "").rstrip("/")
    airflow = base.removesuffix(PREFIX)
    text = _templates.get_template(template).render(base=base, airflow=airflow, **seen)
    return HTMLResponse(text, status_code=status, headers=_headers(_PAGE_POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
