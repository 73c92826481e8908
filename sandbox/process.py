"""One part of the sandbox as a child process: started on a leash, its log in a file, ready when it says so.

Each part has its own process group, so that Ctrl-C in the terminal reaches the supervisor only. The log is appended to:
a part that was killed and restarted tells its whole story in one file. Which parts there are and in which order they
start is `sandbox.supervisor`'s business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from sandbox.leash import STOP_WITHIN_S

READY_WITHIN_S = 60.0
_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the parts import `sandbox` and `function_app` from here."""


class PartFailed(Exception):
    """A part ended or did not get ready; the sentence names it, its last log lines and the remedy."""


class PartProcess:
    """`name` is the module below `sandbox`, `state` the directory that holds sandbox.json.

    `without` names environment variables that the part must not inherit.
    """

    def __init__(self, name: str, state: Path, *, without: Collection[str] = ()) -> None:
        self.name = name
        self._without = without
        self.state = state
        self.log = state / "logs" / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Also the id of its process group; None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start without waiting; `wait_ready` waits."""
        if self.pid is not None:
            raise PartFailed(f"{self.name} runs already (process {self.pid}).")
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            command = [sys.executable, "-m", "sandbox.leash", self.name, "--state", str(self.state)]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module names, no shell
                command,
                cwd=_ROOT,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Return once the part printed its `ready` line; `PartFailed` when it ends or the time is up."""
        give_up_at = time.monotonic() + within_s
        while not any(line.startswith("ready ") for line in self.log_lines()):
            if self.pid is None:
                raise PartFailed(self._report("ended before it was ready"))
            if time.monotonic() > give_up_at:
                raise PartFailed(self._report(f"was not ready after {within_s:.0f} s"))
            time.sleep(0.02)

    def terminate(self) -> None:
        """Ask it to stop; `wait` sees that it does."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        self._signal(signal.SIGKILL)
        self.wait()

    def wait(self, within_s: float = STOP_WITHIN_S) -> None:
        """Wait for its end; after `within_s` it is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def log_lines(self) -> list[str]:
        """What it wrote since its last start."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace").splitlines()

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in self._without}
        # A proxy of the surrounding network cannot reach this machine's loopback.
        return inherited | {
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.killpg(self.pid, number)

    def _report(self, what: str) -> str:
        last = [f"    {line}" for line in self.log_lines()[-8:]] or ["    (it wrote nothing)"]
        return "\n".join(
            [
                f"The sandbox's part {self.name} {what}. Its last words:",
                *last,
                f"Correct what they name and start again; the whole log is {self.log}.",
            ]
        )
