"""A Functions host (and a broker) as child processes of a test: start, ask, stop, kill. Not a test itself."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from sandbox.layout import Layout
from sandbox.process import PartProcess

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).resolve().parent / "apps"
PATIENCE_S = 15.0


def wait_for[T](question: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """The first true answer to `question`, asked every 20 ms."""
    give_up_at = time.monotonic() + within_s
    while not (answer := question()):
        assert time.monotonic() < give_up_at, f"still {answer!r} after {within_s} s"
        time.sleep(0.02)
    return answer


class Child(PartProcess):
    """A part that also tells what it said and how it ended."""

    def text(self) -> str:
        return "\n".join(self.log_lines())

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = PATIENCE_S) -> int | None:
        """Send the signal, wait, and return the exit code; -9 when it did not end by itself in time."""
        if self.pid is not None:
            os.kill(self.pid, number)
        self.wait(within_s)
        return self.exit_code


class Host:
    """One app (a folder of `apps`, or any path) on one state directory; can be started again after its end."""

    def __init__(self, app: str | Path, state: Path, *options: str, **settings: object) -> None:
        self.layout = Layout.create(state)
        self.state = state
        self.record = state / "record"
        self.record.touch()
        values = {"RECORD": str(self.record), **settings}
        (state / "local.settings.json").write_text(json.dumps({"Values": values}), encoding="utf-8")
        self._options = ("--app", str(APPS / app), *options)

    def start(self, *, ready: bool = True) -> Child:
        self.child = Child("host", self.state, *self._options)
        self.child.start()
        if ready:
            self.child.wait_ready()
        return self.child

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, *, key: bool = False, **options: Any) -> requests.Response:
        headers = {"x-functions-key": self.layout.host_key} if key else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.layout.host_url + path, headers=headers, timeout=PATIENCE_S, **options)

    def counts(self, function: str) -> dict[str, int]:
        counts: dict[str, dict[str, int]] = self.get("/admin/host/invocations", key=True).json()
        return counts[function]

    def records(self, **having: object) -> list[dict[str, Any]]:
        """What the functions wrote, those lines that have these values."""
        lines = [json.loads(line) for line in self.record.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in having.items())]
