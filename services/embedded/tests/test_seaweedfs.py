from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from embedded.ports import HOST, assign
from embedded.servers.seaweedfs import BUCKETS, SeaweedFS, client
from embedded.state import State

from .servers import Started, environment, started


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], SeaweedFS]:
    state = State.at(tmp_path_factory.mktemp("s3") / "state")
    state.create()
    ports = {name: port for name, port in assign({}, {}).items() if name.startswith("s3")}
    return lambda: SeaweedFS(
        data=state.folder("s3"), ports=ports, log=state.log("s3"),
        credentials=state.credentials()["s3"], env=environment(state.root),
    )  # fmt: skip


@pytest.fixture(scope="module")
def running(new_server: Callable[[], SeaweedFS]) -> Iterator[Started]:
    with started(new_server()) as server:
        yield server


@pytest.fixture
def s3(running: Started) -> SeaweedFS:
    assert isinstance(running.server, SeaweedFS)
    return running.server


def test_the_buckets_are_there(s3: SeaweedFS) -> None:
    found = {bucket["Name"] for bucket in s3.client.list_buckets()["Buckets"]}

    assert found == set(BUCKETS)


@pytest.mark.parametrize(
    ("key", "secret", "error"),
    [
        (None, "guess", "SignatureDoesNotMatch"),
        ("guess", None, "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials_are_refused(
    s3: SeaweedFS, key: str | None, secret: str | None, error: str
) -> None:
    right = s3._credentials
    other = client(s3.url, key or right["access_key_id"], secret or right["secret_access_key"])

    with pytest.raises(ClientError, match=error):
        other.list_objects_v2(Bucket=BUCKETS[0])
    with pytest.raises(ClientError, match=error):
        other.put_object(Bucket=BUCKETS[0], Key="a", Body=b"")


def test_a_missing_bucket_is_not_made_on_the_fly(s3: SeaweedFS) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.client.put_object(Bucket="no-such-bucket", Key="a", Body=b"")


def test_it_listens_on_this_machine_alone(running: Started) -> None:
    assert running.listens_on() == {HOST}


def test_a_kill_loses_nothing_that_was_acknowledged(
    running: Started, s3: SeaweedFS, new_server: Callable[[], SeaweedFS]
) -> None:
    for number in range(50):
        s3.client.put_object(Bucket=BUCKETS[1], Key=f"run/{number}", Body=b"x" * number * 1000)
    running.kill()

    with started(new_server()) as second:
        assert isinstance(second.server, SeaweedFS)
        for number in range(50):
            found = second.server.client.get_object(Bucket=BUCKETS[1], Key=f"run/{number}")
            assert len(found["Body"].read()) == number * 1000
    left = [
        path for port in s3.ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")
    ]
    assert left == []
