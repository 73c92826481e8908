"""Doubles for the two things the trust decision gets from outside: the certificate and the time. And a network trap."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Unavailable
from shared.webhook.policy import CERTIFICATE_URL
from tests.security import pki


class Shelf:
    """The port `Certificates`, serving what it holds, whatever its address is; counts the fetches."""

    def __init__(self, content: bytes | None = None, url: str = CERTIFICATE_URL) -> None:
        self.content: bytes | None = pki.signer().der if content is None else content
        self.url = url
        self.fetches = 0

    def fetch(self, url: str) -> bytes:
        assert url == self.url, "only the allowed address may be asked for"
        self.fetches += 1
        if self.content is None:
            raise Unavailable("CERTIFICATE_UNAVAILABLE", "The host is down.", "Wait.")
        return self.content


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = pki.NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


_trapped: list[tuple[list[str], frozenset[int]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _trapped or not event.startswith("socket."):
        return
    attempts, allowed = _trapped[-1]
    if event == "socket.getaddrinfo" and not _is_literal(str(arguments[0])) and arguments[1] not in allowed:
        attempts.append(f"resolve {arguments[0]}")
        raise OSError("trapped")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and _is_ours(arguments[1], allowed):
        return
    if event in ("socket.connect", "socket.sendto", "socket.gethostbyname"):
        attempts.append(f"{event} {arguments[-1]}")
        raise OSError("trapped")


def _is_ours(address: tuple[Any, ...], allowed: frozenset[int]) -> bool:
    return address[0] in ("127.0.0.1", "::1") and address[1] in allowed


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


sys.addaudithook(_hook)  # the interpreter itself reports each look-up and connection, whichever library makes it


@contextmanager
def trapped_network(*allowed: int) -> Iterator[list[str]]:
    """Every name look-up and connection of this process fails, and is listed, but to these ports of loopback."""
    attempts: list[str] = []
    _trapped.append((attempts, frozenset(allowed)))
    try:
        yield attempts
    finally:
        _trapped.pop()
