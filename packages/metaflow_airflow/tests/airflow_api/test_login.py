"""Who the client is to Airflow, from settings alone: managed Airflows have no password login."""

from __future__ import annotations

import sys

import pytest
from metaflow_airflow.airflow_api.client import AirflowClient, AirflowError
from metaflow_airflow.errors import BridgeError

API = "METAFLOW_AIRFLOW_REST_API_"


@pytest.fixture
def client(airflow, monkeypatch):
    """The client that some settings describe."""
    airflow.tokens = ["old", "new"]

    def of(**settings):
        for name in ("USERNAME", "PASSWORD", "TOKEN", "TOKEN_COMMAND"):
            monkeypatch.setenv(f"{API}{name}", settings.get(name, ""))
        monkeypatch.setenv(f"{API}URL", settings.get("URL", airflow.url))
        return AirflowClient.from_settings()

    return of


def printing(path):
    """A command that prints the first line of a file, and takes it away."""
    program = f"p={str(path)!r}; t=open(p).read().split(); open(p,'w').write(' '.join(t[1:])); "
    return f'{sys.executable} -c "{program}print(t[0])"'


def test_a_token_is_sent_and_an_expired_one_is_named(client, airflow):
    found = client(TOKEN="old", USERNAME="ann", PASSWORD="word")
    found.check()
    airflow.tokens = ["new"]
    with pytest.raises(
        AirflowError, match=rf"refused the token. Has it expired\? Set another {API}"
    ):
        found.check()


def test_a_token_command_is_asked_again_when_its_token_has_expired(client, airflow, tmp_path):
    path = tmp_path / "tokens"
    path.write_text("old new wrong wrong")
    found = client(TOKEN_COMMAND=printing(path), TOKEN="wrong")
    found.check()
    assert path.read_text() == "new wrong wrong"

    airflow.tokens = ["new"]
    found.check()
    assert path.read_text() == "wrong wrong"

    airflow.tokens = ["later"]
    with pytest.raises(AirflowError, match=f"refused the token that {API}TOKEN_COMMAND gave"):
        found.check()
    assert path.read_text() == "wrong"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("false", "TOKEN_COMMAND ended with exit code 1: it printed no reason"),
        ("sh -c 'echo no account >&2; exit 3'", "exit code 3: no account"),
        ("true", "printed no token"),
        ("no-such-command", "cannot be run: .*No such file"),
        ("echo 'x", "cannot be run: No closing quotation"),
    ],
)
def test_a_command_that_gives_no_token_says_why(client, command, words):
    with pytest.raises(AirflowError, match=words):
        client(TOKEN_COMMAND=command).check()


def test_a_password_is_exchanged_for_a_token(client, airflow):
    found = client(USERNAME="ann", PASSWORD="word")
    found.check()
    airflow.tokens = ["newest"]
    found.check()


def test_what_is_not_set_is_named(client):
    with pytest.raises(BridgeError, match=f"not set: {API}PASSWORD. .*{API}TOKEN_COMMAND stand"):
        client(USERNAME="ann")


def test_no_secret_stands_in_a_login_s_repr(client):
    assert "hunter2" not in repr(client(USERNAME="ann", PASSWORD="hunter2")._login)
    assert "secret" not in repr(client(TOKEN="secret")._login)
