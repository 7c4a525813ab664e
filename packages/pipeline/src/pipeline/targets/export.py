"""Exports the flows as DAG files, with the flows' own Python; skips what did not change."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from pathlib import Path

from embedded import processes
from embedded.errors import StackError

from pipeline.flows import FLOWS, Flow
from pipeline.targets.base import Target

EXPORT_SECONDS = 300.0


class Export(threading.Thread):
    """Exports the flows one after another, beside the start of Airflow.

    Not at once: both belong to one project, and the first one draws its production token.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(name="export", daemon=True)
        self._target = target
        self._environment = target.environment()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self.exported: list[str] = []

    def run(self) -> None:
        """Export every flow whose code changed since its last export."""
        try:
            fingerprint = self._fingerprint()
            for flow in FLOWS:
                if not self._is_current(flow, fingerprint) and not self._stopped.is_set():
                    self._export(flow)
                    self.exported.append(flow.stem)
            if self.exported and not self._stopped.is_set():
                stamp = {flow.stem: fingerprint for flow in FLOWS}
                self._write_stamp(stamp)
        except (StackError, OSError, ValueError) as error:
            self._error = error

    def finish(self, timeout: float) -> list[str]:
        """Wait for the end and return the flows that were exported; raises what went wrong."""
        self.join(timeout)
        if self.is_alive():
            self.stop()
            raise StackError(f"exporting the flows took longer than {timeout:.0f} s")
        if self._error is not None:
            raise self._error
        return self.exported

    def stop(self) -> None:
        """End an export that is under way."""
        self._stopped.set()
        if self._process is not None:
            processes.end(processes.tree(self._process.pid))

    def _export(self, flow: Flow) -> None:
        log = self._target.logs_folder / f"export-{flow.stem}.log"
        # Whether Airflow has it is asked later, for all DAGs at once: it may still be starting.
        command = [
            str(self._target.flows_python), flow.dag_file, "--production",
            *self._target.export_options,
            "airflow", "create", "--wait", "0", *(["--no-triggers"] if self._target.chain else []),
            self._target.flow_dag(flow.dag_file),
        ]  # fmt: skip
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=self._target.flows_folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
            code = self._process.wait()
        if code != 0 and not self._stopped.is_set():
            end = "\n".join(processes.log_end(log, 30))
            raise StackError(
                f"{flow.dag_file} could not be exported ({processes.exit_text(code)}). "
                f"The end of {log}:\n{end}"
            )

    def _is_current(self, flow: Flow, fingerprint: str) -> bool:
        if self._target.changed(self._target.flow_dag(flow.dag_file)) is None:
            return False
        return self._read_stamp().get(flow.stem) == fingerprint

    def _read_stamp(self) -> dict[str, str]:
        """Return fingerprints by flow; none where the file is not there, or not whole."""
        try:
            found = json.loads(self._target.export_stamp.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_stamp(self, stamp: dict[str, str]) -> None:
        path = self._target.export_stamp
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(stamp))
        part.replace(path)

    def _fingerprint(self) -> str:
        """Return a digest of all that goes into an exported flow: options, code."""
        digest = hashlib.sha256(repr((self._target.export_options, self._target.chain)).encode())
        for folder in code_folders(self._target.flows_folder):
            for path in sorted(folder.rglob("*.py")):
                digest.update(str(path).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def export_all(target: Target) -> list[str]:
    """Export the flows whose code changed, and return those; raises what went wrong."""
    export = Export(target)
    export.start()
    try:
        return export.finish(EXPORT_SECONDS)
    except BaseException:
        export.stop()
        raise


def code_folders(flows: Path) -> list[Path]:
    """Return the folders whose code an export depends on: the flows' and the bridge's."""
    packages = flows.parents[2]
    return [flows, packages / "metaflow_airflow" / "src"]
