"""A metadata service for Metaflow's client: `serve`, `ready` (health check), `init` (nothing).

What Metaflow registers is kept as it is, a row a path; the answers are those of the service 2.5.
"""

import json
import re
import sqlite3
import sys
import threading
import time
import urllib.request
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 8080
VERSION = "2.5.1"
# What a POST makes, by the last word of its path, and where that is found afterwards.
KINDS = {"run": "run_number", "step": "step_name", "task": "task_id"}
TASK = r"(/flows/[^/]+/runs/[^/]+/steps/[^/]+/tasks/[^/]+)"


class Store:
    """Rows of (path, folder, content); a write is on disk when it returns."""

    def __init__(self, file):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS found "
            "(number INTEGER PRIMARY KEY, path UNIQUE, folder, content)"
        )

    def add(self, path, content):
        """Add a row and return its content; None when there is one."""
        with self._lock:
            row = (path, path.rpartition("/")[0], json.dumps(content))
            done = self._db.execute(
                "INSERT OR IGNORE INTO found (path, folder, content) VALUES (?, ?, ?)", row
            )
        return content if done.rowcount else None

    def change(self, path, change):
        """Change a row's content in place and return it; None when there is no such row."""
        with self._lock:
            row = self._db.execute("SELECT content FROM found WHERE path = ?", (path,)).fetchone()
            if row is None:
                return None
            content = json.loads(row[0])
            change(content)
            self._db.execute(
                "UPDATE found SET content = ? WHERE path = ?", (json.dumps(content), path)
            )
        return content

    def get(self, path):
        """Return a row's content, or None."""
        return self.change(path, lambda content: None)

    def list(self, folder):
        """Return the contents below a folder, the newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT content FROM found WHERE folder = ? ORDER BY number DESC", (folder,)
            ).fetchall()
        return [json.loads(content) for (content,) in rows]

    def number(self):
        """Return a number that no row has yet."""
        with self._lock:
            return self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM found").fetchone()[0]


@cache
def store():
    return Store("/data/metadata.db")


def now():
    return int(time.time() * 1000)


def create(path, body):
    """Register a flow, run, step or task."""
    folder, _, kind = path.rpartition("/")
    names = unquote(path).split("/")
    content = {"tags": [], "system_tags": [], **body, "flow_id": names[2], "ts_epoch": now()}
    if kind in KINDS:
        field = KINDS[kind]
        # Run and task may be numbered here; a step's name stands in the path.
        name = names[-2] if kind == "step" else content.get(field) or store().number()
        content[field] = str(name)
        content.update(zip(("run_number", "step_name"), names[4:-1:2], strict=False))
        content["run_id" if kind == "run" else f"{kind}_name"] = str(name)
        path = folder if kind == "step" else f"{folder}/{kind}s/{name}"
    made = store().add(path, content)
    return (200, made) if made else (409, {"message": f"{path} is there already"})


def attach(task, kind, items):
    """Keep artifacts or metadata of a task."""
    if store().get(task) is None:
        return 404, {"message": f"there is no {task}"}
    for item in items:
        number = store().number()
        names = dict(zip(("flow_id", "run_number", "step_name", "task_id"), task.split("/")[2::2],
                         strict=True))  # fmt: skip
        store().add(f"{task}/{kind}/{number}", {**item, **names, "id": number, "ts_epoch": now()})
    return 200, {"artifacts_created": len(items), "metadata_created": len(items)}


def artifacts(task, attempt=None):
    """Return a task's artifacts of an attempt, or of the last one."""
    found = store().list(f"{task}/artifact")
    last = max((int(each["attempt_id"]) for each in found), default=0)
    wanted = last if attempt is None else int(attempt)
    return [each for each in found if int(each["attempt_id"]) == wanted]


def tag(path, body):
    """Add and remove tags of a run."""

    def change(run):
        tags = (set(run["tags"]) | set(body["tags_to_add"])) - set(body["tags_to_remove"])
        run["tags"] = sorted(tags)

    run = store().change(path, change)
    return (200, {"tags": run["tags"]}) if run else (404, {"message": f"there is no {path}"})


def filtered(step, query):
    """Return the pathspecs of a step's tasks, of which a metadata field matches a pattern."""
    field, pattern = (query.get(n, [""])[0] for n in ("metadata_field_name", "pattern"))
    found = []
    for task in store().list(f"{step}/tasks"):
        names = [task[n] for n in ("flow_id", "run_number", "step_name", "task_id")]
        if not pattern or any(
            (not field or each["field_name"] == field) and re.search(pattern, str(each["value"]))
            for each in store().list(f"{step}/tasks/{task['task_id']}/metadata")
        ):
            found.append("/".join(names))
    return found


def look(path, query):
    """Return what a GET finds."""
    if match := re.fullmatch(TASK + r"(?:/attempt/(\d+))?/artifacts", path):
        return artifacts(match[1], match[2])
    if match := re.fullmatch(TASK + r"/artifacts/([^/]+)(?:/attempt/(\d+))?", path):
        return next((a for a in artifacts(match[1], match[3]) if a["name"] == match[2]), None)
    if path.endswith("/filtered_tasks"):
        return filtered(path.rpartition("/")[0], query)
    found = store().get(path)
    if found is None and path.endswith(("/flows", "/runs", "/steps", "/tasks", "/metadata")):
        return store().list(path)
    return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        if address.path == "/ping":
            return self._answer(200, "pong")
        found = look(unquote(address.path).rstrip("/"), parse_qs(address.query))
        if found is None:
            return self._answer(404, {"message": f"there is no {address.path}"})
        return self._answer(200, found)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        path = unquote(self.path).rstrip("/")
        if path.endswith("/heartbeat"):
            return self._answer(200, {"wait_time_in_seconds": 10})
        if match := re.fullmatch(TASK + "/(artifact|metadata)", path):
            return self._answer(*attach(match[1], match[2], body))
        return self._answer(*create(path, body))

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*tag(unquote(self.path).removesuffix("/tag/mutate"), body))

    def _answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("METADATA_SERVICE_VERSION", VERSION)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


def serve():
    store()  # before there are threads
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()  # noqa: S104


def ready():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ping", timeout=10) as answer:
        answer.read()


def init():
    """Make nothing: the service makes its own tables."""


if __name__ == "__main__":
    {"serve": serve, "ready": ready, "init": init}[(sys.argv[1:] or ["serve"])[0]]()
