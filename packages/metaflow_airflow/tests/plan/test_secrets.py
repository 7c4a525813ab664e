from dataclasses import replace

import pytest
from metaflow_airflow.graph import Decorator, Kind, Step
from metaflow_airflow.plan.record import Parameter
from metaflow_airflow.plan.secrets import looks_secret, plain_variables, refuse_secrets
from metaflow_airflow.plan.step import Deployment


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
        ("STRIPE_KEY", "x"),
        ("SMTP_PASS", "x"),
        ("PGPASSWORD", "x"),
        ("API_TOKEN_V2", "x"),
        ("DB_PASSWORD_PROD", "x"),
        ("dbPassword", "x"),
        ("SERVICE_API_KEYS", "a,b"),
        ("AWS_ACCESS_KEY_ID", "minioadmin"),
        ("CACHE", "redis://:pw@host:6379"),
        ("WAREHOUSE", "jdbc:postgresql://host/db?user=ann&password=pw"),
        ("BLOBS", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc=="),
        ("SLACK_WEBHOOK_URL", "https://example.org/hook/1"),
        ("NOTIFY", "https://hooks.slack.com/services/T0/B0/x"),
        ("MODEL", "sk-proj-abcdefghijklmnop"),
        ("CI", "glpat-abcdefghijklmnop1234"),
        ("CONFIG", '{"hub": "hf_abcdefghijklmnopqrstuvwx"}'),
    ],
)
def test_secrets(name, value):
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "fast"),
        ("OMP_NUM_THREADS", "2"),
        ("URL", "https://host/path"),
        ("KEYS", "a,b"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_TOKENS", "4096"),
        ("TOKEN_LIMIT", "100"),
        ("SECRETS_DIR", "/run/secrets"),
        ("SECRET_NAME", "minio"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/a/path"),
        ("EOS_TOKEN", "</s>"),
        ("SORT_KEY", "pickup"),
        ("SINGLE_PASS", "yes"),
        ("USE_AUTH", "true"),
        ("HF_TOKEN", ""),
        ("KEY", "trips/2024"),
        ("DATABASE", "postgresql://ann:${DB_PASSWORD}@host/db"),
        ("CA", "-----BEGIN CERTIFICATE-----"),
        ("WEBHOOK_RETRIES", "3"),
        ("TITLE", "sk-learn"),
    ],
)
def test_no_secrets(name, value):
    assert not looks_secret(name, value)


DEPLOYMENT = Deployment("flow.py")


def step(*, attached):
    decorator = Decorator(
        "environment", {"vars": {"MODE": "fast", "DB_PASSWORD": "hunter2"}}, attached=attached
    )
    return Step("train", Kind.LINEAR, decorators=(decorator,))


def test_a_secret_of_the_flows_own_stays_out_of_the_file():
    assert plain_variables(step(attached=False)) == {"MODE": "fast"}


def test_a_secret_of_the_command_line_is_refused_once_with_the_way_out():
    steps = [step(attached=True), replace(step(attached=True), name="score")]

    [error] = refuse_secrets(DEPLOYMENT, (), steps)

    assert "DB_PASSWORD on step *train* and 1 more, which looks like a secret" in str(error)
    assert "Use @secrets" in str(error)
    assert "hunter2" not in str(error)


def test_a_pod_is_told_what_reaches_it():
    pod = step(attached=True)
    pod = replace(pod, decorators=(*pod.decorators, Decorator("kubernetes")))

    [error] = refuse_secrets(DEPLOYMENT, (), [pod])

    assert "--with kubernetes:secrets=NAME" in str(error)
    assert "METAFLOW_KUBERNETES_SECRETS" in str(error)


def test_defaults_settings_and_other_decorators_are_looked_at():
    settings = {
        "METAFLOW_SERVICE_URL": "http://a:b@host",
        "METAFLOW_ARGO_EVENTS_WEBHOOK_URL": "http://127.0.0.1:8080/metaflow-events/publish",
        "METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH": "service",
    }
    deployment = replace(DEPLOYMENT, environment=settings)
    parameters = [
        Parameter("api_key", "string", "sk-1"),
        Parameter("db_password", "string", required=True),
        Parameter("max_tokens", "integer", 4096),
    ]
    attached = Decorator("card", {"id": "AKIAABCDEFGHIJKLMNOP"}, attached=True)
    own = Decorator("card", {"id": "AKIAABCDEFGHIJKLMNOP"})
    steps = [Step("a", Kind.LINEAR, decorators=(attached,)), Step("b", Kind.END, decorators=(own,))]

    found = [str(error) for error in refuse_secrets(deployment, parameters, steps)]

    assert [text.split(" looks")[0] for text in found] == [
        "The default of parameter *api_key*",
        "METAFLOW_SERVICE_URL of whoever exports",
        "--with card: its id",
    ]
