"""The REST client against the real API server."""

import json
import time

import jwt
import pytest
import requests
from metaflow_airflow.airflow_api.client import AirflowClient

pytestmark = pytest.mark.stack


def test_an_expired_token_is_renewed(stack):
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    client.check()
    token = str(client._session.headers["Authorization"]).removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    credentials = json.loads((stack.place / "credentials.json").read_text())

    def signed(**changes):
        key = credentials["airflow_secrets"]["jwt_secret"]
        algorithm = jwt.get_unverified_header(token)["alg"]
        return f"Bearer {jwt.encode({**claims, **changes}, key, algorithm=algorithm)}"

    def status(bearer):
        headers = {"Authorization": bearer}
        return requests.get(
            f"{stack.airflow_url}/api/v2/dags", headers=headers, timeout=30
        ).status_code

    expired = signed(exp=int(time.time()) - 3600)
    assert (status(signed()), status(expired)) == (200, 401)

    client._session.headers["Authorization"] = expired
    assert list(client.dags(tag="metaflow")) == list(client.dags(tag="metaflow"))
    assert client._session.headers["Authorization"] != expired
