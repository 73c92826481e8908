"""A broker process of one's own: started, killed and asked about over its admin port. For tests only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from sandbox.layout import Layout


class BrokerProcess:
    """`python -m sandbox.broker` in a state directory; comes back at the same address after `kill` and `start`."""

    def __init__(self, state: Path, *options: str) -> None:
        self.layout = Layout.create(state)
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._http = requests.Session()

    def start(self) -> None:
        """Returns when the broker listens."""
        command = [sys.executable, "-m", "sandbox.broker", "--state", str(self.layout.state), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == f"ready 127.0.0.1:{self.layout.ports['broker']}\n", line

    def kill(self) -> None:
        """SIGKILL: the broker has no chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(10)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of the admin port; an HTTP error raises."""
        answer = self._http.request(method, self.layout.broker_admin_url + path, timeout=10, **options)
        answer.raise_for_status()
        return answer.json()

    def counts(self, queue: str) -> dict[str, int]:
        """How many messages are in which state, without the states nobody is in."""
        return {state: count for state, count in self.ask("GET", "/queues")[queue].items() if count}

    def advance(self, seconds: float) -> None:
        """Makes everything in the broker that much older."""
        self.ask("POST", "/clock", json={"advance_s": seconds})

    def fault(self, **fault: Any) -> None:
        """Asks for a fault."""
        self.ask("POST", "/faults", json=fault)


@contextmanager
def running(state: Path, *options: str) -> Iterator[BrokerProcess]:
    """A broker that is gone when the block ends."""
    broker = BrokerProcess(state, *options)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits until the condition holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
