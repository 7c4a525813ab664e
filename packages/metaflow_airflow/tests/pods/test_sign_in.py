"""A token that has expired is replaced, once for all requests that were refused with it."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from metaflow_airflow.operators.cluster_connection import connect_cluster
from metaflow_airflow.pods.cluster_errors import ClusterError, ClusterUnreachableError, ConnectError
from metaflow_airflow.pods.sign_in import SignIn

from .real_cluster.real import NAMESPACE, on_cluster


class Clock:
    seconds = 100.0

    def __call__(self):
        return self.seconds


class Tokens:
    """Counts how often it was asked; refuses while it is told to."""

    asked = 0
    refuses = False

    async def get(self):
        self.asked += 1
        if self.refuses:
            raise RuntimeError("the cloud says no")


def test_all_that_were_refused_share_one_new_token():
    async def scenario():
        clock, tokens = Clock(), Tokens()
        sign_in = SignIn(tokens.get, clock)

        assert await asyncio.gather(*(sign_in.again(asked=99.0) for _ in range(50))) == [True] * 50
        assert tokens.asked == 1

        clock.seconds = 1000.0
        assert await sign_in.again(asked=999.0)
        assert tokens.asked == 2

    asyncio.run(scenario())


def test_a_new_token_that_is_refused_too_is_not_replaced_again_and_again():
    async def scenario():
        clock, tokens = Clock(), Tokens()
        sign_in = SignIn(tokens.get, clock)
        assert await sign_in.again(asked=99.0)

        clock.seconds += 1.0
        assert not await sign_in.again(asked=clock.seconds)
        clock.seconds += 10.0
        assert await sign_in.again(asked=clock.seconds)
        assert tokens.asked == 2

    asyncio.run(scenario())


def test_where_there_is_no_new_token_the_cluster_is_out_of_reach_for_a_while(caplog):
    async def scenario():
        clock, tokens = Clock(), Tokens()
        tokens.refuses = True
        sign_in = SignIn(tokens.get, clock)

        for asked in (99.0, 100.5):  # before it, and soon after
            clock.seconds = 101.0
            with pytest.raises(ClusterUnreachableError, match=r"no new token .* the cloud says no"):
                await sign_in.again(asked)
        assert tokens.asked == 1
        clock.seconds += 11.0
        tokens.refuses = False
        assert await sign_in.again(asked=clock.seconds)

    asyncio.run(scenario())

    assert "the cloud says no" in caplog.text


class SlowTokens(Tokens):
    """Takes its time, and refuses at its end."""

    def __init__(self, clock):
        self.clock = clock
        self.may_end = asyncio.Event()

    async def get(self):
        await self.may_end.wait()
        self.clock.seconds += 2.0
        await super().get()


@pytest.mark.parametrize("works", [True, False])
def test_a_request_that_is_refused_while_another_signs_in_shares_what_comes_of_it(works):
    async def scenario():
        clock = Clock()
        tokens = SlowTokens(clock)
        tokens.refuses = not works
        sign_in = SignIn(tokens.get, clock)

        first = asyncio.create_task(sign_in.again(asked=99.0))
        await asyncio.sleep(0)
        clock.seconds += 1.0  # sent when the renewal had begun, with the old token
        second = asyncio.create_task(sign_in.again(asked=clock.seconds))
        tokens.may_end.set()
        answers = await asyncio.gather(first, second, return_exceptions=True)

        assert tokens.asked == 1
        if works:
            assert list(answers) == [True, True]
        else:
            assert [type(each) for each in answers] == [
                ClusterUnreachableError,
                ClusterUnreachableError,
            ]

    asyncio.run(scenario())


def test_a_plugin_that_hangs_does_not_hold_all_requests_up(monkeypatch, caplog):
    monkeypatch.setattr("metaflow_airflow.pods.sign_in._WITHIN", 0.1)

    async def scenario():
        with pytest.raises(ClusterUnreachableError, match="TimeoutError"):
            await asyncio.wait_for(SignIn(asyncio.Event().wait, Clock()).again(asked=99.0), 10)

    asyncio.run(scenario())
    assert "TimeoutError" in caplog.text


def connection(monkeypatch, **extra):
    """An Airflow connection of that kind; its name."""
    told = json.dumps({"conn_type": "kubernetes", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER_OF_TESTS", told)
    return "cluster_of_tests"


@pytest.mark.cluster
def test_a_cloud_gives_a_new_token_when_the_first_has_expired(kubeconfig, monkeypatch, tmp_path):
    credential = tmp_path / "credential"

    def give(token):
        said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        credential.write_text(json.dumps(said | {"status": {"token": token}}))

    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "cat",
        "args": [str(credential)],
        "interactiveMode": "Never",
    }
    config = yaml.safe_load(Path(kubeconfig).read_text())
    config["users"] = [{"name": user["name"], "user": {"exec": plugin}} for user in config["users"]]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    conn_id = connection(monkeypatch, kube_config_path=str(tmp_path / "config"))

    async def scenario(site):
        from kubernetes_asyncio import client

        give("expired")
        async with AsyncExitStack() as stack:
            cluster = await connect_cluster(stack, conn_id, NAMESPACE)
            minutes = client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
            account = await client.CoreV1Api(site.api).create_namespaced_service_account_token(
                "default", NAMESPACE, client.AuthenticationV1TokenRequest(spec=minutes)
            )
            give(account.status.token)
            # An account that may nothing: that the server knows its name shows the new token.
            with pytest.raises(ClusterError, match=f"serviceaccount:{NAMESPACE}:default") as told:
                await cluster.pods("any=label")
            assert told.value.status == 403

    on_cluster(kubeconfig, scenario)


async def try_to_connect(conn_id):
    async with AsyncExitStack() as stack:
        await connect_cluster(stack, conn_id, None)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"kube_config_path": "/nowhere/config"}, "Invalid kube-config file"),
        ({"kube_config_path": "/a", "in_cluster": True}, "mutually exclusive"),
    ],
)
def test_a_connection_that_leads_nowhere_is_named(monkeypatch, extra, says):
    conn_id = connection(monkeypatch, **extra)

    with pytest.raises(ConnectError, match=f"Airflow connection {conn_id} leads to no .*{says}"):
        asyncio.run(try_to_connect(conn_id))


def test_a_connection_that_nobody_made_is_named():
    with pytest.raises(ConnectError, match=r"nobody_made_it.* isn't defined"):
        asyncio.run(try_to_connect("nobody_made_it"))
