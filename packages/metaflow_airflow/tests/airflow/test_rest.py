"""The REST client against the real API server: its tokens, and what each role may."""

import time

import jwt
import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError
from metaflow_airflow.airflow_api.deployments import find_deployment
from metaflow_airflow.airflow_api.login import TokenLogin
from metaflow_airflow.airflow_api.runs import runs_of
from metaflow_airflow.airflow_api.session import Bearer

from .conftest import FLOWS

pytestmark = pytest.mark.stack


@pytest.fixture
def signed(stack):
    """Makes tokens as Airflow does, with other claims."""
    login = AirflowClient(stack.airflow_url, *stack.airflow_login)
    token = login._login.token(login._post)
    claims = jwt.decode(token, options={"verify_signature": False})
    credentials = stack.state.credentials()

    def make(**changes):
        key = credentials["airflow_secrets"]["jwt_secret"]
        algorithm = jwt.get_unverified_header(token)["alg"]
        return jwt.encode({**claims, **changes}, key, algorithm=algorithm)

    return make


@pytest.fixture
def of_role(stack, signed):
    """A client of a user with one of Airflow's own roles."""

    def client(role):
        return AirflowClient(stack.airflow_url, login=TokenLogin(signed(role=role)))

    return client


def test_an_expired_token_is_renewed(stack, signed):
    client = AirflowClient(stack.airflow_url, *stack.airflow_login)
    expired = Bearer(signed(exp=int(time.time()) - 3600))
    client.check()
    client._session.auth = expired
    assert list(client.dags(tag="metaflow")) == list(client.dags(tag="metaflow"))
    assert client._session.auth is not expired

    with pytest.raises(AirflowError, match="refused the token"):
        AirflowClient(stack.airflow_url, login=TokenLogin(signed(exp=1))).check()


def test_what_each_role_may(bridge, of_role):
    """The table of roles in the package's README."""
    dag_id = bridge.export(FLOWS / "single.py", "--name", "roles")
    viewer, user = of_role("viewer"), of_role("user")

    # create (its waiting), status, list-runs
    viewer.check()
    assert find_deployment(viewer, dag_id).dag_id == dag_id
    assert list(viewer.all_import_errors()) is not None
    assert viewer.has_pool("default_pool")
    assert list(runs_of(viewer, dag_id)) == []
    # trigger, resume, terminate, suspend, unsuspend, delete
    changes = {
        "trigger": lambda client: client.trigger(dag_id, "roles", {}),
        "terminate": lambda client: client.set_run_state(dag_id, "roles", "failed"),
        "suspend": lambda client: client.set_paused(dag_id, True),
        "delete": lambda client: client.delete_dag(dag_id),
    }
    for change in changes.values():
        with pytest.raises(AirflowError, match=r"does not let this login do that .* role that may"):
            change(viewer)
    bridge.client.set_paused(dag_id, True)
    for change in changes.values():
        change(user)
    # pods, without --site
    with pytest.raises(AirflowError, match="GET variables/"):
        user.variable("any")
