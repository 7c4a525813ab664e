import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from embedded.errors import StackError
from embedded.state import State
from embedded.status import is_whole

HOLD = """
import sys
from pathlib import Path
from embedded.state import State
with State(Path(sys.argv[1])).lock("up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State.at(tmp_path / "state")
    state.create()
    return state


def modes(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_the_directory_is_its_owners_alone(state: State) -> None:
    assert modes(state.root) == "0o700"
    assert {modes(path) for path in state.root.iterdir()} == {"0o700"}


def test_a_directory_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)

    State.at(tmp_path / "open").create()

    assert modes(tmp_path / "open") == "0o700"


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=rf"{tmp_path}/file/state cannot be made: Not a directory"):
        State.at(tmp_path / "file" / "state").create()


def test_credentials_are_drawn_once_and_readable_by_the_owner_alone(state: State) -> None:
    first = state.credentials()

    assert state.credentials() == first
    assert modes(state.root / "credentials.json") == "0o600"


def test_a_rotation_draws_all_anew_but_what_opens_kept_data(state: State) -> None:
    old = state.credentials()

    names = state.rotate()

    new = state.credentials()
    changed = {f"{part}.{n}" for part in new for n in new[part] if new[part][n] != old[part][n]}
    every = {f"{part}.{n}" for part in new for n in new[part]}
    assert set(names) == changed
    assert {name for name in every - changed if not name.endswith(".username")} == {
        "postgres.superuser", "airflow_secrets.fernet_key",
    }  # fmt: skip
    assert modes(state.root / "credentials.json") == "0o600"


def test_no_two_stacks_have_a_password_in_common(tmp_path: Path) -> None:
    secrets = []
    for name in ("a", "b"):
        state = State.at(tmp_path / name)
        state.create()
        drawn = state.credentials()
        secrets += [
            drawn["airflow"]["password"],
            *drawn["airflow_secrets"].values(),
            *drawn["postgres"].values(),
            drawn["s3"]["secret_access_key"],
            *drawn["s3"]["jwt_keys"],
        ]

    assert len(secrets) == 2 * 11
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 24


def test_lost_credentials_are_an_error_while_the_data_they_open_is_there(state: State) -> None:
    state.credentials()
    (state.folder("postgres") / "data").mkdir()
    (state.root / "credentials.json").unlink()

    with pytest.raises(StackError, match=r"credentials.json is gone.*Delete .* to begin anew"):
        state.credentials()


def test_a_broken_file_is_named(state: State) -> None:
    (state.root / "stack.json").write_text("{")

    with pytest.raises(StackError, match=r"stack.json is not JSON .*: delete it"):
        state.read()


def test_what_is_written_is_read_and_leaves_nothing_beside_it(state: State) -> None:
    before = set(state.root.iterdir())

    state.write({"phase": "ready"})

    assert state.read() == {"phase": "ready"}
    assert set(state.root.iterdir()) - before == {state.root / "stack.json"}
    assert json.loads((state.root / "stack.json").read_text()) == {"phase": "ready"}


def test_a_lock_excludes_other_processes_until_its_holder_dies(state: State) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    assert state.is_locked("up")
    with pytest.raises(StackError, match=r"another command holds .*up.lock"), state.lock("up"):
        pass

    holder.kill()
    holder.communicate()

    with state.lock("up"):
        assert state.is_locked("up")
    assert not state.is_locked("up")


def test_a_server_that_has_just_crashed_does_not_pass_for_one_that_runs(state: State) -> None:
    """Its pid is gone a moment before the phase says so; `up` may look in between."""
    scheduler = {"state": "crashed", "pid": os.getpid()}
    whole = {"phase": "ready", "ports": {}, "servers": {"scheduler": scheduler}}
    with state.lock("supervisor"):
        state.write(whole)
        assert is_whole(state)

        state.write(whole | {"servers": {"scheduler": scheduler | {"pid": None}}})
        assert not is_whole(state)
