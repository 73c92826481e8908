"""One part of the sandbox as a child process: started on a leash, its log in a file, ready when it says so.

Where that is safe (Linux), parts are forked from one process that has loaded what they have in common
(`sandbox.preload`): the standard library's fork server, one for each process that starts parts, ended with it.
Elsewhere each is a fresh interpreter. Either way a part is in its own session, so that Ctrl-C in the terminal reaches
the supervisor only, and becomes what `python -m sandbox.<part>` is (`sandbox.leash`). The log is appended to: a part
that was killed and restarted tells its whole story in one file. Which parts there are and in which order they start is
`sandbox.supervisor`'s business.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Collection
from multiprocessing.process import BaseProcess
from pathlib import Path

from sandbox import leash
from sandbox.leash import STOP_WITHIN_S

READY_WITHIN_S = 60.0
_CONTEXT = (
    multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")
)
_CONTEXT.set_forkserver_preload(["sandbox.preload"])


class PartFailed(Exception):
    """A part ended or did not get ready; the sentence names it, its last log lines and the remedy."""


class PartProcess:
    """`name` is the module below `sandbox`, `state` the directory that holds sandbox.json, `options` more arguments.

    `without` names environment variables that the part must not inherit.
    """

    def __init__(self, name: str, state: Path, *options: str, without: Collection[str] = ()) -> None:
        self.name = name
        self._options = options
        self._without = without
        self.state = state
        self.log = state / "logs" / f"{name}.log"
        self._process: BaseProcess | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process and self._process.is_alive() else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, a signal as its negative number; None before."""
        return self._process.exitcode if self._process else None

    def start(self) -> None:
        """Start without waiting; `wait_ready` waits."""
        if self.pid is not None:
            raise PartFailed(f"{self.name} runs already (process {self.pid}).")
        self.log.parent.mkdir(exist_ok=True)
        self.log.touch()
        self._log_start = self.log.stat().st_size
        arguments = ["--state", str(self.state), *self._options]
        self._process = _CONTEXT.Process(
            target=leash.run,
            args=(self.name, arguments, self.log.resolve(), self._environment()),
            name=f"sandbox.{self.name}",
            daemon=True,  # whoever forgets to stop it must not wait for it at its own end
        )
        self._process.start()

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
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        if self._process:
            self._process.kill()
            self._process.join()

    def wait(self, within_s: float = STOP_WITHIN_S) -> None:
        """Wait for its end; after `within_s` it is killed."""
        if self._process:
            self._process.join(within_s)
            self.kill()

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
        return inherited | {"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1"}

    def _report(self, what: str) -> str:
        last = [f"    {line}" for line in self.log_lines()[-8:]] or ["    (it wrote nothing)"]
        return "\n".join(
            [
                f"The sandbox's part {self.name} {what}. Its last words:",
                *last,
                f"Correct what they name and start again; the whole log is {self.log}.",
            ]
        )
