"""A broker process of one's own: started, killed and asked about over its admin port. For tests only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from sandbox.layout import Layout
from sandbox.process import PartProcess


class BrokerProcess:
    """The broker on a state directory; comes back at the same address after `kill` and `start`."""

    def __init__(self, state: Path, *options: str) -> None:
        self.layout = Layout.create(state)
        self._process = PartProcess("broker", self.layout.state, *options)
        self._http = requests.Session()

    def start(self) -> None:
        """Returns when the broker listens."""
        self._process.start()
        self._process.wait_ready()
        assert f"ready 127.0.0.1:{self.layout.ports['broker']}" in self._process.log_lines()

    def kill(self) -> None:
        """SIGKILL: the broker has no chance to tidy up."""
        self._process.kill()

    def stop(self) -> int | None:
        """SIGTERM; the exit code."""
        self._process.terminate()
        self._process.wait()
        return self._process.exit_code

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
