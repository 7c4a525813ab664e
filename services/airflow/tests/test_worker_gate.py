"""What a worker may ask Airflow's edge API for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from airflow.api_fastapi.auth.tokens import JWKS, JWTValidator
from airflow_service.workers import keys
from airflow_service.workers.gate import Job, Refused, WorkerGate, check

PLACE = "dag/task/run/1/-1"
JOBS = {Job("dag", "task", "run", "1", "-1", ""): "flows"}
SECRETS = {"flows": "f" * 64, "data_engineering": "d" * 64}
MINE: Mapping[str, Any] = {"queues": ["flows"]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "worker/flows", MINE),
        ("PATCH", "worker/flows", MINE),
        ("POST", "jobs/fetch/flows", MINE),
        ("PATCH", f"jobs/state/{PLACE}/success", {}),
        ("POST", f"logs/push/{PLACE}", {"log_chunk_data": "a line"}),
        ("GET", "health", {}),
    ],
)
def test_a_worker_may_ask_for_its_own(method: str, path: str, body: dict[str, Any]) -> None:
    check("flows", method, path, body, JOBS.get)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "worker/data_engineering", MINE),
        ("POST", "worker/flows", {"queues": ["flows", "data_engineering"]}),
        ("PATCH", "worker/queues/flows", {"new_queues": ["data_engineering"]}),
        ("POST", "jobs/fetch/data_engineering", MINE),
        ("POST", "jobs/fetch/flows", {"queues": ["data_engineering"]}),
        # All queues, as the edge API understands it.
        ("POST", "jobs/fetch/flows", {"queues": None}),
        ("POST", "jobs/fetch/flows", {"queues": []}),
        ("POST", "jobs/fetch/flows", {}),
        ("PATCH", "jobs/state/other/task/run/1/-1/success", {}),
        ("POST", "logs/push/other/task/run/1/-1", {}),
        # The file of a log goes by this id before anything else.
        ("POST", f"logs/push/{PLACE}", {"task_instance_id": "somebody-elses"}),
        ("POST", f"logs/push/../{PLACE}", {}),
        ("GET", f"logs/logfile_path/{PLACE}", {}),
        ("GET", "", {}),
    ],
)
def test_a_worker_may_not_ask_for_another_ones(
    method: str, path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        check("flows", method, path, body, JOBS.get)


def token(signer: str, kid: str | None) -> str:
    """A token as a worker makes it."""
    headers = {} if kid is None else {"kid": kid}
    claims = {"iss": keys.ISSUER, "aud": "api", "iat": 0, "exp": 1 << 40}
    return jwt.encode(claims, SECRETS[signer], algorithm="HS512", headers=headers)


async def validated(text: str) -> dict[str, Any]:
    """What Airflow's own validator makes of it with our key set."""
    jwks = JWKS(url="none")
    jwks._jwks = jwt.PyJWKSet.from_dict(json.loads(keys.key_set(SECRETS)))
    return await JWTValidator(
        jwks=jwks, issuer=keys.ISSUER, audience="api", algorithm=["HS512"], leeway=30,
        required_claims=frozenset({"iat", "exp"}),
    ).avalidated_claims(text)  # fmt: skip


def test_airflow_knows_a_worker_by_its_own_key_and_by_no_other() -> None:
    assert asyncio.run(validated(token("flows", "flows")))["iss"] == keys.ISSUER
    for signer, kid in [("flows", "data_engineering"), ("flows", "nobody"), ("flows", None)]:
        with pytest.raises(jwt.InvalidTokenError):
            asyncio.run(validated(token(signer, kid)))


def through(path: str, authorization: str, body: bytes, kind: str = "http") -> tuple[Any, ...]:
    """What passed the gate, and what it answered itself."""
    passed: list[bytes] = []
    answered: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append((await receive())["body"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        answered.extend(code for code in [message.get("status")] if code)

    scope = {
        "type": kind, "method": "POST", "path": path,
        "headers": [(b"Authorization", authorization.encode())],
    }  # fmt: skip
    asyncio.run(WorkerGate(app, JOBS.get)(scope, receive, send))
    return passed, answered


def test_the_gate_passes_the_whole_body_on_and_answers_what_it_refuses() -> None:
    mine, all_queues = json.dumps(MINE).encode(), b'{"queues": null}'
    fetch, key = "/edge_worker/v1/jobs/fetch/flows", token("flows", "flows")

    assert through(fetch, key, mine) == ([mine], [])
    assert through(fetch, key, all_queues) == ([], [403])
    assert through(fetch, key, b"[]") == ([], [403])
    assert through(fetch, key, b"{") == ([], [403])
    assert through(fetch, "", mine) == ([], [403])
    assert through(fetch, "no token", mine) == ([], [403])
    # By another way to the same place.
    assert through("/edge_worker%2Fv1/jobs/fetch/flows", key, all_queues) == ([], [403])
    assert through("/api/v2/dags", "", b"any") == ([b"any"], [])
