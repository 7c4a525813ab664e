"""Download one file over HTTP: progress in the log, resumed when the connection breaks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from data_engineering import trust
from data_engineering.errors import BadInputError, UnavailableError
from data_engineering.sources.progress import Progress
from data_engineering.storage.objects import local_meaning

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to try again.

    `read` is the longest silence in the middle of an answer. `tries` counts tries in a row that
    brought no byte; a broken download that advances is resumed as long as it does.
    """

    connect: float = 5.0
    read: float = 15.0
    tries: int = 3
    pause: float = 0.5
    progress_every: float = 2.0

    @property
    def timeout(self) -> httpx.Timeout:
        """The same for httpx."""
        return httpx.Timeout(self.read, connect=self.connect)


def unreachable(url: str, patience: Patience = Patience()) -> str | None:
    """Ask for the headers of `url` once; return why its server cannot be reached, or None.

    An answer that the file is not there is an answer; one that the server is out of order is not.
    """
    try:
        with _client(patience) as client:
            status = client.head(url).status_code
    except httpx.TransportError as error:
        return _reason(error)
    return f"it answers {status}" if status >= 500 else None


def content_tag(url: str, patience: Patience = Patience()) -> str:
    """Return what the server calls the content that it has at `url`; empty if it does not say."""
    try:
        with _client(patience) as client:
            answer = client.head(url, headers={"Accept-Encoding": "identity"})
    except httpx.HTTPError:
        return ""  # the download will say what is wrong
    tag = _version(answer) if answer.status_code == 200 else None
    return f"{tag} {answer.headers.get('Content-Length', '')}".strip() if tag else ""


def download(
    url: str, to: Path, patience: Patience = Patience(), check: Callable[[str], None] | None = None
) -> None:
    """Download `url` to the path `to`, which appears only when all of it has arrived.

    Args:
        url: http or https.
        to: the file.
        patience: how long to wait.
        check: called with each URL that is asked, of redirects too; it raises to refuse one.

    Raises:
        BadInputError: the server cannot be reached, or says that there is no such file.
        UnavailableError: it kept failing after the download had begun.
    """
    part = to.with_name(f"{to.name}.part")
    state = _Download(url, part, patience)
    try:
        with _client(patience, check) as client:
            state.run(client)
        part.replace(to)
    except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise BadInputError(f"{shown(url)} cannot be downloaded: {error}") from error
    except OSError as error:
        raise local_meaning(error, f"writing {part}") from error
    finally:
        part.unlink(missing_ok=True)


def _client(patience: Patience, check: Callable[[str], None] | None = None) -> httpx.Client:
    def ask(request: httpx.Request) -> None:
        if check is not None:
            check(str(request.url))

    return httpx.Client(
        timeout=patience.timeout,
        follow_redirects=True,
        verify=trust.context(),
        event_hooks={"request": [ask]},
    )


def shown(url: str) -> str:
    """Return the URL without what may be secret in it: user, password, query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


class _Download:
    """One download over as many requests as it takes."""

    def __init__(self, url: str, part: Path, patience: Patience) -> None:
        self._url, self._part, self._patience = url, part, patience
        self._shown = shown(url)
        self._have = 0
        self._tag: str | None = None
        self._progress: Progress | None = None

    def run(self, client: httpx.Client) -> None:
        failures = 0
        while True:
            before = self._have
            try:
                with self._answer(client) as answer:
                    self._take(answer)
                return
            except httpx.TransportError as error:
                failures = 1 if self._have > before else failures + 1
                reason = _reason(error)
            except _BusyError as busy:
                failures += 1
                reason = str(busy)
            if failures >= self._patience.tries:
                raise self._given_up(reason, failures)
            log.warning("%s: %s, trying again", self._shown, reason)
            time.sleep(self._patience.pause * 2 ** (failures - 1))

    @contextmanager
    def _answer(self, client: httpx.Client) -> Iterator[httpx.Response]:
        # Compressed on the way, a cut download could not be resumed at a known byte.
        headers = {"Accept-Encoding": "identity"}
        if self._have and self._tag:
            headers |= {"Range": f"bytes={self._have}-", "If-Range": self._tag}
        with client.stream("GET", self._url, headers=headers) as answer:
            status = answer.status_code
            if status == 429 or status >= 500:
                raise _BusyError(f"it answers {status} {answer.reason_phrase}")
            if status >= 400:
                raise BadInputError(f"{self._shown} answers {status} {answer.reason_phrase}")
            yield answer

    def _take(self, answer: httpx.Response) -> None:
        resumed = answer.status_code == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(
            f"bytes {self._have}-"
        ):
            self._tag = None
            raise _BusyError("it sent another part of the file than the one asked for")
        if not resumed:
            self._have = 0
            self._tag = _version(answer)
        length = int(answer.headers.get("Content-Length", 0))
        if self._progress is None:
            self._progress = Progress(self._shown, length or None, self._patience.progress_every)
        self._progress.done = self._have
        if resumed:
            log.info("%s: resumed at byte %d", self._shown, self._have)
        with self._part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_raw():
                file.write(chunk)
                self._have += len(chunk)
                self._progress.add(len(chunk))
        self._progress.end()

    def _given_up(self, reason: str, tries: int) -> Exception:
        if self._progress is None:
            return BadInputError(f"{self._shown} cannot be reached: {reason} ({tries} tries)")
        return UnavailableError(
            f"{self._shown} broke off after {self._have:,} bytes: {reason} ({tries} tries)"
        )


class _BusyError(Exception):
    """The server answered, but not now."""


def _version(answer: httpx.Response) -> str | None:
    """Return what proves that a later part is of the same file, if the server gave such a thing."""
    tag: str | None = answer.headers.get("ETag")
    modified: str | None = answer.headers.get("Last-Modified")
    return modified if tag is None or tag.startswith("W/") else tag


def _reason(error: httpx.TransportError) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "no connection in time"
        case httpx.TimeoutException():
            return "no answer in time"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return trust.advice()
    return str(error) or type(error).__name__
