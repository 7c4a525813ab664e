"""What another user of the machine reaches of the S3 server: nothing, at any port or socket."""

import http.client
import multiprocessing
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from embedded.ports import HOST, assign
from embedded.servers.authority import issue
from embedded.servers.seaweedfs import BUCKETS, SeaweedFS, _binary
from embedded.state import State

from .servers import environment, started

NOBODY = 65534
OBJECT = f"/buckets/{BUCKETS[0]}/secret"
REQUESTS = [
    ("GET", "/"), ("GET", OBJECT), ("PUT", OBJECT), ("DELETE", OBJECT), ("GET", "/buckets/"),
    ("GET", "/dir/assign"), ("GET", "/dir/lookup?volumeId=1&fileId=1,1&read=yes"),
    ("GET", "/dir/status"), ("GET", f"/col/delete?collection={BUCKETS[0]}"), ("GET", "/status"),
    ("GET", "/cluster/status"), ("POST", "/submit"), ("GET", "/1,01637037d6"), ("GET", "/metrics"),
    ("GET", "/ui/index.html"), ("GET", f"/{BUCKETS[0]}?list-type=2"),
]  # fmt: skip

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: needs root")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    state = State.at(tmp_path_factory.mktemp("closed") / "state")
    state.create()
    ports = {name: port for name, port in assign({}, {}).items() if name.startswith("s3")}
    before = os.umask(0o077)  # the supervisor's
    try:
        server = SeaweedFS(
            data=state.folder("s3"), ports=ports, log=state.log("s3"),
            credentials=state.credentials()["s3"], env=environment(state.root),
        )  # fmt: skip
        with started(server):
            server.client.put_object(Bucket=BUCKETS[0], Key="secret", Body=b"secret" * 100_000)
            yield server
            kept = server.client.get_object(Bucket=BUCKETS[0], Key="secret")["Body"].read()
            assert kept == b"secret" * 100_000
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def nobody() -> Iterator[ProcessPoolExecutor]:
    """A process of another user's."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=fork, initializer=become_nobody) as pool:
        yield pool


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


@pytest.fixture(scope="module")
def theirs() -> Iterator[Path]:
    """A folder of the other user's with a copy of `weed`."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(_binary(), folder / "weed")
    folder.chmod(0o755)
    (folder / "weed").chmod(0o755)
    (folder / "home").mkdir()
    os.chown(folder / "home", NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def answers(port: int, tls: ssl.SSLContext | None) -> list[str]:
    """What a port gives to somebody without keys: each request that did not fail."""
    found = []
    for method, path in REQUESTS:
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(HOST, port, timeout=5, context=tls)
            if tls
            else http.client.HTTPConnection(HOST, port, timeout=5)
        )
        try:
            connection.request(method, path, b"x" if method in ("PUT", "POST") else None)
            answer = connection.getresponse()
            content = answer.read(200)
            # S3's port says that it lives, in no words.
            if answer.status < 400 and (content or method != "GET"):
                found.append(f"{port} {method} {path}: {answer.status} {content!r}")
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return found


def plain(ports: list[int]) -> list[str]:
    return [each for port in ports for each in answers(port, None)]


def over_tls(ports: list[int], certificate: Path | None) -> list[str]:
    """With no certificate, or one of another authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return [each for port in ports for each in answers(port, context)]


def test_no_port_answers_without_keys(s3: SeaweedFS, nobody: ProcessPoolExecutor) -> None:
    ports = list(s3.ports.values())

    assert len(ports) == 10
    assert nobody.submit(plain, ports).result() == []


@pytest.mark.parametrize("kind", ["no certificate", "one of another authority"])
def test_no_port_answers_over_tls(
    s3: SeaweedFS, nobody: ProcessPoolExecutor, theirs: Path, kind: str
) -> None:
    certificate = None
    if kind != "no certificate":
        certificate = issue(theirs / "tls", "seaweedfs").certificate
        for path in (theirs / "tls", *(theirs / "tls").iterdir()):
            os.chown(path, NOBODY, NOBODY)

    assert nobody.submit(over_tls, list(s3.ports.values()), certificate).result() == []


@pytest.mark.parametrize(
    "command",
    ["fs.ls /buckets", "volume.list", "s3.bucket.list", f"s3.bucket.delete -name={BUCKETS[0]}",
     "fs.rm -r /buckets", "s3.configure"],
)  # fmt: skip
def test_weed_shell_gets_nothing(s3: SeaweedFS, theirs: Path, command: str) -> None:
    port = s3.ports
    master = f"{HOST}:{port['s3_master']}.{port['s3_master_grpc']}"
    filer = f"{HOST}:{port['s3_filer']}.{port['s3_filer_grpc']}"

    said = weed(theirs, "shell", f"-master={master}", f"-filer={filer}", said=command)

    assert not re.search(rf"{BUCKETS[0]}|DataCenter|platform", said.replace(command, "")), said


def test_weed_backup_gets_nothing(s3: SeaweedFS, theirs: Path) -> None:
    port = s3.ports
    master = f"{HOST}:{port['s3_master']}.{port['s3_master_grpc']}"

    said = weed(theirs, "backup", f"-master={master}", "-dir=home", "-volumeId=1",
                f"-collection={BUCKETS[0]}")  # fmt: skip

    assert list((theirs / "home").glob("*.dat")) == [], said


def weed(folder: Path, *words: str, said: str = "") -> str:
    """Run `weed` as the other user for some seconds; what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [folder / "weed", *words], cwd=folder, stdin=subprocess.PIPE, stdout=output,
            stderr=output, user=NOBODY, group=NOBODY, extra_groups=[], text=True,
            env={"HOME": str(folder / "home")},
        )  # fmt: skip
        try:
            process.communicate(f"{said}\nexit\n", timeout=5)
        except subprocess.TimeoutExpired:  # it asks again and again, in vain
            process.kill()
            process.wait()
        output.seek(0)
        return output.read()


def sockets(folders: list[Path]) -> list[str]:
    """The sockets there that this user can connect to."""
    found = []
    for path in (each for folder in folders for each in folder.glob("*.sock")):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except OSError:
                continue
            found.append(str(path))
    return found


def test_no_socket_of_the_server_can_be_connected_to(
    s3: SeaweedFS, nobody: ProcessPoolExecutor
) -> None:
    mine = [p for port in s3.ports.values() for p in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]
    look: Callable[[list[Path]], list[str]] = sockets

    reached = nobody.submit(look, [Path("/tmp")]).result()

    assert mine != []
    assert not set(map(str, mine)) & set(reached)
    with pytest.raises(PermissionError):
        nobody.submit(look, [s3.data]).result()


def test_its_files_are_the_owners_alone(s3: SeaweedFS) -> None:
    open_to_others = [path for path in (s3.data / "tls").iterdir() if path.stat().st_mode & 0o077]

    assert open_to_others == []
