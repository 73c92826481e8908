"""The real app in the real host with the real broker, under attack: raw requests in, statuses and queue counts out.

Requests are written byte by byte, because an HTTP library would repair or refuse what a forger sends. Certificates come
from a server of the test's own on loopback, each under its own allowed address, and lead to the test's authorities. The
functions behind the queues are switched off, so whatever gets past the door stays in its queue and is counted.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.clients import connection
from sandbox.layout import Layout
from sandbox.supervisor import Sandbox
from shared.webhook.policy import CERTIFICATE_URL
from tests.sandbox.known_keys import create_layout

type Pairs = Sequence[tuple[str, str]]
PATH = "/api/partner_center_webhook"
BEHIND_THE_QUEUES = (
    "partner_center_to_dynamics_365",
    "partner_center_microsoft_cosell_referral_updates_to_dynamics_365",
    "dynamics_365_opportunity_to_partner_center",
    "dynamics_365_microsoft_solutions_to_partner_center",
    "dynamics_365_to_partner_center",
    "create_cosell_referral_dynamics_365_to_partner_center",
    "sweep",
    "remind",
    "watch",
)
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    code: str
    """The refusal's code, or what became of the event; "" when the host itself answered."""


class Certificates:
    """Serves files below https://localhost:PORT/cert/, and nothing else."""

    def __init__(self, layout: Layout, files: Mapping[str, bytes]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path.removeprefix("/cert/"))
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                with suppress(OSError):  # one that is too large is not read to its end
                    self.wfile.write(content or b"")

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(layout.server_certificate, layout.server_key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        return f"https://localhost:{self._server.server_address[1]}/cert/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class RealHost:
    """A running broker and host whose webhook trusts the signer that `certificates` serves as `signer.cer`."""

    def __init__(self, sandbox: Sandbox, certificates: Certificates) -> None:
        self.sandbox, self.certificates = sandbox, certificates
        self.layout = sandbox.layout
        self._control = connection(self.layout)

    @property
    def pid(self) -> int:
        return self.sandbox.pids()["host"]

    def post(self, headers: Pairs, body: bytes, certificate: str = "signer.cer") -> Answer:
        """The answer to one request, with the certificate's well-known address replaced by the test's own."""
        url = self.certificates.url(certificate)
        lines = [f"{name}: {value.replace(CERTIFICATE_URL, url)}" for name, value in headers]
        return self.exchange([head(lines, f"Content-Length: {len(body)}"), body])

    def exchange(self, parts: Iterator[bytes] | Sequence[bytes]) -> Answer:
        """Send the parts until they end or the other side has had enough; then its answer."""
        with socket.create_connection(("127.0.0.1", self.layout.ports["host"]), PATIENCE_S) as wire:
            with suppress(ConnectionError):  # refused before the end; what it said may still be there
                for part in parts:
                    wire.sendall(part)
            response = http.client.HTTPResponse(wire)
            response.begin()
            content = response.read()
        return Answer(response.status, _code(content))

    def queued(self) -> dict[str, int]:
        """Messages by queue, wherever in it they are."""
        queues: dict[str, dict[str, int]] = self._control.get(
            f"{self.layout.broker_admin_url}/queues", timeout=10
        ).json()
        return {name: total for name, counts in queues.items() if (total := sum(counts.values()))}

    def empty(self, queue: str) -> None:
        self._control.delete(f"{self.layout.broker_admin_url}/queues/{queue}", timeout=10).raise_for_status()

    @contextmanager
    def growth(self) -> Iterator[list[int]]:
        """Bytes by which the host's memory peaked above where it was, appended at the end of the block."""
        found: list[int] = []
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
        before = self._memory("VmRSS")
        yield found
        found.append(self._memory("VmHWM") - before)

    def _memory(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{field}:"))


def head(lines: Sequence[str], *framing: str) -> bytes:
    """The start of a request, each header as it was given, in UTF-8."""
    start = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *framing]
    return "\r\n".join([*start, *lines, "", ""]).encode("utf-8", "surrogatepass")


def chunked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """HTTP's framing of a body whose length nobody announced."""
    for chunk in chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


@contextmanager
def real_host(state: Path, bundle: bytes, files: Mapping[str, bytes]) -> Iterator[RealHost]:
    """`bundle`: PEM of the authorities to trust; `files`: what the certificates' server has."""
    layout = create_layout(state)
    trusted = state / "trusted.pem"
    trusted.write_bytes(bundle)
    certificates = Certificates(layout, files)
    settings: dict[str, object] = {
        "WEBHOOK_CERTIFICATE_URLS": ",".join(map(certificates.url, (*files, "missing.cer"))),
        "WEBHOOK_TRUST_BUNDLE": str(trusted),
        **{f"AzureWebJobs.{name}.Disabled": "true" for name in BEHIND_THE_QUEUES},
    }
    try:
        with Sandbox(layout, settings=settings, parts=("broker", "host")) as sandbox:
            yield RealHost(sandbox, certificates)
    finally:
        certificates.close()


def _code(content: bytes) -> str:
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    return str(document.get("result") or document.get("code")).partition(":")[0]
