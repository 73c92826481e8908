"""The sandbox's own way to its parts: requests' interface, with as little as possible below it.

A test asks thousands of small questions over loopback, and most of what requests does for each (cookies, redirects,
proxies, adapters, looking at the files of certificates) has no use there: this costs a fifth of the time.
Connections are kept, one question at a time on each; a kept one that the part has closed meanwhile is noticed before it
is used. Answers and exceptions are those of requests. The connector itself does not use it: see `shared.clients.http`.
"""

from __future__ import annotations

import io
import json as json_format
import select
import socket
import ssl
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import httptools
import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import requote_uri

_READ = 1 << 18


class Loopback(requests.Session):
    """A session for `params`, `data`, `json`, `headers` and `timeout`; it follows no redirect. For several threads."""

    def __init__(self, ca_bundle: Path) -> None:
        super().__init__()
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[socket.socket]] = defaultdict(list)

    def request(  # type: ignore[override]  # fewer arguments than requests takes
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | str | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
        allow_redirects: bool = False,  # `get` of requests sets it; no part of the sandbox redirects
    ) -> requests.Response:
        """One exchange. `requests.ConnectionError`, or its `Timeout`, when there was no whole answer."""
        parts = urlsplit(requote_uri(f"{url}?{urlencode(params)}" if params else url))
        if json is not None:
            data, headers = json_format.dumps(json), {"Content-Type": "application/json", **(headers or {})}
        body = data.encode() if isinstance(data, str) else data or b""
        try:
            answer = self._exchange(parts, _head(method, parts, headers or {}, len(body)) + body, timeout)
        except TimeoutError as error:
            raise requests.Timeout(error) from error
        except (OSError, httptools.HttpParserError) as error:
            raise requests.ConnectionError(error) from error
        answer.url = parts.geturl()
        answer.request = requests.PreparedRequest()
        answer.request.method, answer.request.url = method, answer.url
        return answer

    def close(self) -> None:
        """Close the kept connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        super().close()

    def _exchange(self, parts: SplitResult, message: bytes, timeout: float) -> requests.Response:
        idle = self._idle[parts.scheme, parts.netloc]
        line = self._kept(idle) or self._open(parts, timeout)
        try:
            line.settimeout(timeout)
            line.sendall(message)
            reading = _Reading()
            parser = httptools.HttpResponseParser(reading)
            while not reading.complete:
                received = line.recv(_READ)
                if not received:
                    raise ConnectionResetError("the connection was closed before the answer was complete")
                parser.feed_data(received)
        except BaseException:
            line.close()
            raise
        if reading.headers.get("Connection", "").lower() == "close":
            line.close()
        else:
            idle.append(line)
        answer = requests.Response()
        answer.status_code, answer.reason, answer.headers = parser.get_status_code(), reading.reason, reading.headers
        answer.encoding = requests.utils.get_encoding_from_headers(reading.headers)
        answer.raw = io.BytesIO(b"".join(reading.body))
        return answer

    def _kept(self, idle: list[socket.socket]) -> socket.socket | None:
        """A connection that is open on both sides: nothing can be read from it, not even its end."""
        while True:
            try:
                line = idle.pop()
            except IndexError:
                return None
            if not select.select([line], [], [], 0)[0]:
                return line
            line.close()

    def _open(self, parts: SplitResult, timeout: float) -> socket.socket:
        line = socket.create_connection((parts.hostname, parts.port), timeout)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "http":
            return line
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._ca_bundle)
        return self._tls.wrap_socket(line, server_hostname=parts.hostname)


class _Reading:
    """What httptools tells of an answer."""

    def __init__(self) -> None:
        self.reason = ""
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        self.body: list[bytes] = []
        self.complete = False

    def on_status(self, reason: bytes) -> None:
        self.reason = reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1")] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body.append(part)

    def on_message_complete(self) -> None:
        self.complete = True


def _head(method: str, parts: SplitResult, headers: Mapping[str, str], length: int) -> bytes:
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    own = {"Host": parts.netloc, "Accept": "*/*"} | (
        {"Content-Length": str(length)} if length or method != "GET" else {}
    )
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in (own | dict(headers)).items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
