"""services/env.py: the passwords of a first start."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def draw(file: Path) -> dict[str, str]:
    # -I: it must work with a Python that has nothing installed.
    subprocess.run([sys.executable, "-I", ROOT / "services/env.py", file], check=True)
    lines = (line for line in file.read_text().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_passwords_are_drawn_for_their_owner_alone(tmp_path: Path) -> None:
    one, other = draw(tmp_path / "one"), draw(tmp_path / "other")

    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    secret = [name for name in one if re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)$", name)]
    assert len(secret) >= 15
    assert all(one[name] != other[name] and len(one[name]) >= 20 for name in secret)


def test_what_is_there_stays_and_what_is_missing_is_added(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    first = draw(file)
    kept = "# mine\n" + "".join(f"{n}={v}\n" for n, v in first.items() if n != "K3S_TOKEN")
    file.write_text(kept)

    second = draw(file)

    assert file.read_text().startswith(kept)
    assert second.pop("K3S_TOKEN") != first.pop("K3S_TOKEN")
    assert second == first
    assert draw(file).keys() == {*first, "K3S_TOKEN"}


def test_every_variable_of_the_compose_files_is_drawn_or_has_a_default(tmp_path: Path) -> None:
    drawn = draw(tmp_path / ".env")

    for file in sorted(ROOT.glob("services/*/compose.yaml")):
        for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", file.read_text()):
            assert name in drawn or rest.startswith(":-"), f"{file}: {name}"


def test_a_rotation_draws_every_secret_anew_and_keeps_what_opens_the_data(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    first = draw(file)
    file.write_text("# mine\nAIRFLOW_PORT=1\n" + file.read_text().replace("AIRFLOW_PORT", "#"))

    subprocess.run([sys.executable, "-I", ROOT / "services/env.py", "--rotate", file], check=True)
    second = draw(file)
    subprocess.run([sys.executable, "-I", ROOT / "services/env.py", "--rotate", file], check=True)
    third = draw(file)

    assert file.read_text().startswith("# mine\nAIRFLOW_PORT=1\n")
    assert file.stat().st_mode & 0o777 == 0o600
    secret = re.compile(r"(PASSWORD|SECRET|_KEY|ROOT_USER)$")
    for name in [name for name in first if secret.search(name)]:
        assert len({first[name], second[name], third[name]}) == 3, name
    others = [n for n in first if not secret.search(n) and n != "AIRFLOW_PORT"]
    assert all(first[name] == second[name] for name in others)
    assert second["POSTGRES_PASSWORD_BEFORE"] == first["POSTGRES_PASSWORD"]
    assert third["POSTGRES_PASSWORD_BEFORE"] == second["POSTGRES_PASSWORD"]
    # Airflow's own form: the first encrypts, all decrypt.
    keys = [each["AIRFLOW_FERNET_KEY"].split(",") for each in (first, second, third)]
    assert keys[1][1:] == keys[0]
    assert keys[2][1:] == keys[1][:1]
    before = set(second["S3_KEYS_BEFORE"].split(":"))
    assert before == {value for name, value in first.items() if name.endswith("_S3_KEY")}
