"""The worst server there is: over TLS on loopback, it answers with everything it was told and whatever it knows.

It stands for Partner Center, Dataverse, Entra ID and Key Vault alike. `status` is what it answers; the body is an error
in every vendor's shape at once, whose words quote the request's address, headers and body, and all canaries.
"""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from tests.security import canaries


class EchoServer:
    """`with EchoServer(directory) as server: …server.url, server.ca_bundle…`"""

    def __init__(self, directory: Path) -> None:
        self.status = 400
        self.headers: dict[str, str] = {}
        self.html = False
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers of each request."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca_bundle = str(directory / "echo-ca.pem")
        authority.cert_pem.write_to_path(self.ca_bundle)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two packets; the second must not wait for an ACK

            def handle_any(self) -> None:
                outer._answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"https://localhost:{self.port}"
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        told = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        self.asked.append((handler.command, handler.path, dict(handler.headers.items())))
        status, headers = self.status, self.headers
        if handler.path.endswith("openid-configuration"):
            status, headers, content = 200, {}, json.dumps(self._configuration())
        elif "/secrets/" in handler.path and "Authorization" not in handler.headers:
            challenge = f'Bearer authorization="{self.url}/tenant", resource="https://vault.azure.net"'
            status, headers, content = 401, {"WWW-Authenticate": challenge}, "{}"
        else:
            content = self._echo(f"{handler.path} {dict(handler.headers.items())} {told}")
        encoded = content.encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(encoded)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(encoded)

    def _echo(self, said: str) -> str:
        words = f"{canaries.AS_A_VENDOR_KNOWS_THEM} were refused; you sent {said}"
        if self.html:
            return f"<html><h1>Bad gateway</h1><p>{words}</p></html>"
        error = {"code": "canary", "message": words, "innererror": {"message": words, "stacktrace": words}}
        return json.dumps({"error": "invalid_grant", "error_description": words, "message": words} if "oauth2" in said
                          else {"error": error, "message": words, "description": words})  # fmt: skip

    def _configuration(self) -> dict[str, str]:
        return {
            "authorization_endpoint": f"{self.url}/tenant/oauth2/v2.0/authorize",
            "token_endpoint": f"{self.url}/tenant/oauth2/v2.0/token",
            "issuer": f"{self.url}/tenant/v2.0",
            "device_authorization_endpoint": f"{self.url}/tenant/oauth2/v2.0/devicecode",
        }
