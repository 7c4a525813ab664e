"""Other people's environments: what of them reaches the stack's processes."""

import os
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
from embedded.caller import environment

PROXIED = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "proxy:3128"}


def passed(**inherited: str) -> dict[str, str]:
    return environment(inherited)[0]


def notes(**inherited: str) -> list[str]:
    return environment(inherited)[1]


@pytest.mark.parametrize(
    "name",
    [
        "AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "METAFLOW_PROFILE", "AWS_PROFILE", "PGSSLMODE",
        "PGSERVICE", "PGOPTIONS", "PGHOSTADDR", "PGCONNECT_TIMEOUT", "PYTHONPATH", "PYTHONHOME",
        "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "UV_PROJECT_ENVIRONMENT",
        "UV_NO_SYNC", "UV_LOCKED", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_NO_EDITABLE", "GIT_DIR",
        "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "VIRTUAL_ENV", "LC_CTYPE", "LANGUAGE",
    ],
)  # fmt: skip
def test_settings_of_other_programs_are_left_out(name: str) -> None:
    assert name not in passed(**{name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "TZ", "PGP_KEY", "AWSOME", "PGUP_AND_DOWN", "GIT_SSH_COMMAND", "TMPDIR",
        "GIT_AUTHOR_NAME", "UV", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL",
        "UV_CACHE_DIR", "UV_INDEX_OURS_PASSWORD", "UV_NATIVE_TLS", "UV_PYTHON_INSTALL_DIR",
        "TLC_TRIP_DATA_URL", "TRIP_DATA_MAX_SET_ASIDE", "KUBECONFIG",
    ],
)  # fmt: skip
def test_what_is_the_callers_own_stays(name: str) -> None:
    assert passed(**{name: "x"})[name] == "x"


def test_proxies_stay_and_leave_this_machine_alone() -> None:
    found = passed(**PROXIED, NO_PROXY="intern, .corp", no_proxy="other,intern")

    assert PROXIED.items() <= found.items()
    assert found["NO_PROXY"] == "intern,.corp,other,localhost,127.0.0.1,::1"
    assert found["no_proxy"] == found["NO_PROXY"]
    assert notes(**PROXIED) == []


@pytest.mark.parametrize(
    "value",
    ["socks5://proxy:1080", "socks5h://user:p%40ss@proxy", "https://proxy", "[::1]:3128", " ", ""],
)
def test_every_proxy_that_http_clients_know_stays(value: str) -> None:
    assert passed(ALL_PROXY=value)["ALL_PROXY"] == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks://u:secret@proxy:9/", "no proxy is reached by socks://. Write http://"),
        ("socks4://proxy:9", "no proxy is reached by socks4://"),
        ("http://user:secret/word@proxy:port", "it is no URL. Write http://HOST:PORT"),
    ],
)
def test_another_proxy_is_left_out_in_one_sentence_without_its_password(
    value: str, said: str
) -> None:
    assert "all_proxy" not in passed(all_proxy=value)
    (note,) = notes(all_proxy=value)
    assert note.startswith(f"all_proxy is left out: {said}")
    assert "secret" not in note


def test_hosts_that_break_http_clients_are_no_proxys_hosts_no_more() -> None:
    inherited = {"NO_PROXY": "[::1],fd00::/8,*.corp", "no_proxy": "fd00::/8"}

    found, said = environment(inherited)

    assert found["NO_PROXY"] == "::1,*.corp,localhost,127.0.0.1"
    assert said == [
        "NO_PROXY's fd00::/8 is left out: of IPv6, HTTP clients know addresses alone",
    ]


@pytest.mark.parametrize(
    "inherited",
    [
        {"ALL_PROXY": "socks://127.0.0.1:9/"},
        {"all_proxy": "socks5://127.0.0.1:9/", "NO_PROXY": "[::1],fd00::/8"},
        {"HTTP_PROXY": "http://proxy:port", "https_proxy": "127.0.0.1:9"},
        {"SSL_CERT_FILE": "/gone/cacert.pem", "REQUESTS_CA_BUNDLE": "/gone/too"},
    ],
)
def test_an_http_client_can_be_made_and_reaches_this_machine(inherited: dict[str, str]) -> None:
    """What Airflow's tasks do first; the proxy's port is closed, and so is the server's."""
    program = (
        "import httpx\n"
        "try: httpx.Client().get('http://127.0.0.1:1/')\n"
        "except httpx.ConnectError: print('asked')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=passed(**inherited), check=True,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout == "asked\n"


def test_one_variable_names_the_certificate_authority_for_every_library() -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        found = passed(**{name: certifi.where()})

        for library in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
            assert found[library] == certifi.where()


def test_a_file_of_certificates_that_is_gone_is_named_and_left_out(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pem")

    found, said = environment({"SSL_CERT_FILE": gone, "AWS_CA_BUNDLE": os.devnull})

    assert not {"SSL_CERT_FILE", "AWS_CA_BUNDLE"} & found.keys()
    assert said[0] == (
        f"SSL_CERT_FILE is left out: {gone} holds no certificates (No such file or directory)"
    )
    assert said[1].startswith(f"AWS_CA_BUNDLE is left out: {os.devnull} holds no certificates")


def test_text_is_utf_8_whatever_the_callers_locale() -> None:
    program = (
        "import sys; print(sys.getfilesystemencoding(), open(0).encoding, sys.stdout.encoding)"
    )
    inherited = {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}

    done = subprocess.run(
        [sys.executable, "-c", program], env=passed(**inherited), check=True,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert {each.lower() for each in done.stdout.split()} == {"utf-8"}
