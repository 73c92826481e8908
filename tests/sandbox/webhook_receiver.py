"""A webhook on loopback that records every request and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    """Names as they were sent."""
    body: bytes
    connection: int
    """The sender's port: equal for requests on one kept connection."""

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """`statuses` are answered in turn, the last one for ever; `delay_s` comes before each answer."""

    statuses: list[int] = field(default_factory=lambda: [200])
    delay_s: float = 0.0
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def events(self, name: str | None = None) -> list[tuple[str, str]]:
        """(event name, id at the end of the resource's address) in order of arrival."""
        pairs = [(one.event["EventName"], one.event["ResourceUri"].rpartition("/")[2]) for one in self.received]
        return [pair for pair in pairs if name is None or pair[0] == name]

    def take(self, request: Received) -> int:
        with self._lock:
            self.received.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        time.sleep(self.delay_s)
        with self._lock:
            self._at_once -= 1
        return status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = cast("_Server", self.server).receiver
        status = receiver.take(Received(self.path, dict(self.headers.items()), body, self.client_address[1]))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = Receiver(url=f"http://127.0.0.1:{self.server_port}/api/webhook?code=key")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.receiver
    server.shutdown()
    server.server_close()
    thread.join()
