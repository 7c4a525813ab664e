import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Kind, Step
from metaflow_airflow.plan.secrets import looks_secret, plain_variables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("DB_PASSWORD", "x"),
        ("HF_TOKEN", "x"),
        ("OPENAI_API_KEY", "x"),
        ("PRIVATE_KEY", "x"),
        ("DATABASE", "postgresql://ann:pw@host/db"),
        ("KEY", "-----BEGIN RSA PRIVATE KEY-----"),
        ("ID", "AKIAABCDEFGHIJKLMNOP"),
    ],
)
def test_secrets(name, value):
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MODE", "fast"), ("OMP_NUM_THREADS", "2"), ("URL", "https://host/path"), ("KEYS", "a,b")],
)
def test_no_secrets(name, value):
    assert not looks_secret(name, value)


def step(*, attached):
    decorator = Decorator(
        "environment", {"vars": {"MODE": "fast", "DB_PASSWORD": "hunter2"}}, attached=attached
    )
    return Step("train", Kind.LINEAR, decorators=(decorator,))


def test_a_secret_of_the_flows_own_stays_out_of_the_file():
    assert plain_variables(step(attached=False)) == {"MODE": "fast"}


def test_a_secret_of_the_command_line_is_refused_with_the_way_out():
    with pytest.raises(BridgeError, match=r"DB_PASSWORD on step \*train\*.*Use @secrets") as error:
        plain_variables(step(attached=True))
    assert "hunter2" not in str(error.value)
