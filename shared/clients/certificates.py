"""Fetches the webhook signer's certificate, the one download that a request from outside can set off.

The address has passed the allow-list of `shared.webhook` and is compared once more here. The name is resolved first,
every address it has must be public, and the connection goes to the checked address itself while TLS verifies the name,
so an answer of DNS cannot change in between. No redirects, proxies, cookies, credentials or environment; bounded in
size and time. Whatever goes wrong is `Unavailable`: Partner Center delivers again. Caching is `shared.trust`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.client import HTTPException
from threading import Timer
from urllib.parse import SplitResult, urlsplit

from certifi import where
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from shared.clients.addresses import is_loopback, is_public
from shared.errors import Unavailable

type Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port → literal addresses, as DNS gives them; OSError when there are none."""

MAX_BYTES = 64 * 1024


def resolve(host: str, port: int) -> list[str]:
    """The system's resolver."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class HttpsCertificates:
    """The port `Certificates` over HTTPS. Holds no connection, so it may be shared by threads."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        ca_bundle: str | None = None,
        step_timeout_s: float = 4.0,
        total_timeout_s: float = 8.0,
        resolver: Resolver = resolve,
    ) -> None:
        """`ca_bundle`: PEM file of the TLS authorities, None for the public ones."""
        self._urls = frozenset(urls)
        self._ca_bundle = ca_bundle or where()
        self._step_timeout_s = step_timeout_s
        self._total_timeout_s = total_timeout_s
        self._resolver = resolver

    def fetch(self, url: str) -> bytes:
        """DER or PEM bytes, unchecked but at most `MAX_BYTES`; `Unavailable` for every failure."""
        parts = urlsplit(url)
        if url not in self._urls or parts.scheme != "https" or not parts.hostname:
            raise _unavailable("its address is not an allowed https address")
        deadline = time.monotonic() + self._total_timeout_s
        try:
            addresses = self._checked_addresses(parts.hostname, parts.port or 443)
            return self._first_answer(addresses, parts, deadline)
        except (OSError, HTTPError, HTTPException, UnicodeError) as error:
            raise _unavailable(f"the connection failed ({type(error).__name__})") from None

    def _checked_addresses(self, host: str, port: int) -> list[str]:
        """All addresses of the host; one that is not public spoils the answer. Only a local host may be on loopback."""
        local = host == "localhost" or is_loopback(host)
        addresses = list(dict.fromkeys(self._resolver(host, port)))
        if not addresses or not all(map(is_loopback if local else is_public, addresses)):
            raise _unavailable("its host does not have public addresses only")
        return addresses

    def _first_answer(self, addresses: Sequence[str], parts: SplitResult, deadline: float) -> bytes:
        for address in addresses[:-1]:
            try:
                connection = self._connected(address, parts, deadline)
            except (OSError, HTTPError):
                continue  # such as IPv6 without a route
            return self._download(connection, parts, deadline)
        return self._download(self._connected(addresses[-1], parts, deadline), parts, deadline)

    def _connected(self, address: str, parts: SplitResult, deadline: float) -> HTTPSConnection:
        """TLS to `address`, verified for the URL's host name."""
        timeout = min(self._step_timeout_s, deadline - time.monotonic())
        if timeout <= 0:
            raise _unavailable("it took too long")
        connection = HTTPSConnection(
            address,
            parts.port or 443,
            timeout=timeout,
            server_hostname=parts.hostname,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._ca_bundle,
        )
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _download(self, connection: HTTPSConnection, parts: SplitResult, deadline: float) -> bytes:
        """The body of a 200. A watchdog ends the connection at the deadline, however slowly the other side drips."""
        watchdog = Timer(max(0.0, deadline - time.monotonic()), _hang_up, [connection.sock])
        watchdog.daemon = True
        watchdog.start()
        try:
            headers = {"Host": parts.netloc, "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", parts.path, headers=headers, preload_content=False, decode_content=False)
            with connection.getresponse() as response:
                if response.status != 200 or "content-encoding" in response.headers:
                    raise _unavailable(f"the server answered {response.status} or in an encoding nobody asked for")
                content = _read(response)
        finally:
            watchdog.cancel()
            connection.close()
        if time.monotonic() >= deadline:
            raise _unavailable("it took too long")
        if not 0 < len(content) <= MAX_BYTES:
            raise _unavailable(f"the answer is empty or larger than {MAX_BYTES} bytes")
        return content


def _read(response: HTTPResponse) -> bytes:
    """One byte more than allowed at most. Reads until nothing comes: only then a body that ends early is noticed."""
    content = b""
    while len(content) <= MAX_BYTES and (piece := response.read(MAX_BYTES + 1 - len(content))):
        content += piece
    return content


def _hang_up(sock: socket.socket) -> None:
    """End both directions below TLS; the reader sees the end of the stream."""
    with suppress(OSError):  # closed already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(
        "CERTIFICATE_UNAVAILABLE",
        f"The signer's certificate could not be fetched: {reason}.",
        "Partner Center repeats the delivery; if it goes on, check that this app can reach the certificate's host.",
        retry_after_s=30.0,
    )
