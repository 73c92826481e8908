"""A client's HTTP half for a scripted server: a token that never changes and a limiter that never hinders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.clients.failures import Vendor
from shared.clients.http import HttpClient
from shared.clients.limiter import Limiter


class OneToken:
    """`TokenSource` with one token for every scope."""

    def token(self, scope: str) -> str:
        return "token"

    def renew(self, scope: str, refused: str) -> None:
        """There is no other."""


def http_client(url: str, vendor: Vendor, headers: Callable[[str], Mapping[str, str]]) -> HttpClient:
    limiter = Limiter("the test", calls_per_minute=100_000, concurrency=8)
    return HttpClient(
        url, vendor=vendor, tokens=OneToken(), limiter=limiter, headers=headers, sleep=lambda seconds: None
    )
