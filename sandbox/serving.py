"""One simulator as a process: TLS on the part's port, a line when it is ready, a clean stop on SIGTERM.

The HTTP protocol is uvicorn's, with one addition that a simulator of a bad network needs: a request can drop its
connection without an answer (`drop_connection`). Called by each part's `__main__`.
"""

from __future__ import annotations

import argparse
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import authority
from sandbox.layout import Layout

_DROP = "sandbox.drop"


class _DroppingProtocol(HttpToolsProtocol):
    """Hands each request a way to drop its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_DROP: {"drop": self._drop}}

    def shutdown(self) -> None:
        """At the end of the process: idle TLS connections are cut, since clients do not answer a polite goodbye."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            super().shutdown()

    def _drop(self) -> None:
        plain = self.transport.get_extra_info("socket")
        if plain is not None:  # a closed connection has none; then there is nothing to drop
            # Linger of zero makes the kernel send RST, which is what a lost peer looks like.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class _ReadyServer(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(f"ready {self._address}", flush=True)


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Reset the request's TCP connection and wait until the server has noticed."""
    scope["extensions"][_DROP]["drop"]()
    while (await receive())["type"] != "http.disconnect":
        pass


def layout_from_arguments(part: str) -> Layout:
    """The layout named by `--state DIR`; one sentence and exit code 2 when there is none."""
    parser = argparse.ArgumentParser(prog=f"python -m sandbox.{part}", description=f"Start the sandbox's {part}.")
    parser.add_argument("--state", type=Path, required=True, help="directory that holds sandbox.json")
    state: Path = parser.parse_args().state
    try:
        layout = Layout.load(state)
    except (OSError, ValueError) as error:
        parser.error(f"{state} holds no readable sandbox.json ({error}); start with `python -m sandbox` once.")
    authority.ensure(layout)
    return layout


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's delay (40 ms an answer) off for declared TCP sockets only.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: ASGIApp, layout: Layout, part: str) -> None:
    """Serve until SIGTERM or SIGINT. Exit code 1 with one sentence when the port is taken."""
    port = layout.ports[part]
    try:
        listener = _listen(port)
    except OSError as error:
        print(f"Port {port} for {part} cannot be used ({error.strerror}); stop what listens there.", file=sys.stderr)
        sys.exit(1)
    settings: dict[str, Any] = {
        "ssl_certfile": str(layout.server_certificate),
        "ssl_keyfile": str(layout.server_key),
        "timeout_keep_alive": 120,  # longer than the clients' pools, or they would meet closed connections
        "timeout_graceful_shutdown": 2,
        "proxy_headers": False,
    }
    config = uvicorn.Config(
        app, http=_DroppingProtocol, ws="none", log_level="warning", access_log=False, server_header=False, **settings
    )
    # uvicorn finishes what runs and then raises the signal again; the second time it ends the process quietly.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    _ReadyServer(config, f"https://localhost:{port}").run(sockets=[listener])
