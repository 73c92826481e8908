"""One kept-alive connection to the webhook, used by one delivery at a time, from a thread.

Follows no redirects and waits no longer than it is told. A kept connection that the receiver closed meanwhile is
replaced once, silently, as every HTTP client does; all other failures are the caller's. Used by `sending`.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from urllib.parse import urlsplit

_MOST_ANSWER = 65_536
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Lane:
    """Not for concurrent use, except `abort`."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._connection: http.client.HTTPConnection | None = None
        self._origin = ""

    def post(self, url: str, body: bytes, headers: dict[str, str], timeout_s: float) -> int:
        """The answer's status. OSError or HTTPException when there is none."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = self._connection is not None and self._origin == origin
        if not kept:
            self._connect(origin, timeout_s)
        try:
            return self._exchange(target, body, headers, timeout_s)
        except _STALE:
            if not kept:
                raise
        self._connect(origin, timeout_s)
        return self._exchange(target, body, headers, timeout_s)

    def abort(self) -> None:
        """Ends whatever a thread waits for on this lane."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # the other side may have been quicker
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, origin: str, timeout_s: float) -> None:
        if self._connection is not None:
            self._connection.close()
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
        self._connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._trust)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        self._origin = origin

    def _exchange(self, target: str, body: bytes, headers: dict[str, str], timeout_s: float) -> int:
        connection = self._connection
        if connection is None:
            raise http.client.NotConnected
        try:
            connection.timeout = timeout_s
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            if len(answer.read(_MOST_ANSWER)) == _MOST_ANSWER:
                connection.close()  # the rest would be taken for the next answer
        except BaseException:
            connection.close()
            self._connection = None
            raise
        return answer.status
