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
