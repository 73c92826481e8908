"""HTTPS to one vendor host: token, limiter, timeouts, quick retries, and every failure as an error of `shared.errors`.

One `HttpClient` per host and audience. It calls only below its own base address, follows no redirect, takes nothing
from the process environment (proxies, netrc), and so its bearer token reaches its own host alone. Bodies go through
`shared.clients.wire`, failures through `shared.clients.failures`, which see the vendor's words without what we sent and
without what looks like a secret or a person. Nothing here knows a vendor's resources: see
`partner_center`, `webhook_registrations` and `dataverse`.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from shared.clients import batch, failures, wire
from shared.clients.failures import Vendor
from shared.clients.limiter import PATIENCE_S, Limiter
from shared.errors import AuthorizationError, SyncError, Throttled, Unavailable
from shared.redaction import redact, without_echo

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The business change worked on now (a GUID); `shared.delivery` sets it for each message."""

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and between two packets of the answer."""
_TRIES = 3
_BUDGET_S = 10.0
_POOL = 32


class TokenSource(Protocol):
    """Bearer tokens for a scope such as `https://api.partner.microsoft.com/.default`; see `shared.clients.tokens`."""

    def token(self, scope: str) -> str: ...

    def renew(self, scope: str, refused: str) -> None:
        """Forget `refused`, unless a newer token is there already."""
        ...


@dataclass(frozen=True)
class Answer:
    """A success. `body` is the parsed JSON, None when there was none; `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class _Call:
    """One request, and how it may be repeated. `echo`: what of it an error's text may quote, and must not."""

    method: str
    path: str
    headers: Mapping[str, str]
    data: bytes | None = None
    echo: tuple[Any, ...] = ()
    repeatable: bool = True
    quick: bool = True
    calls: int = 1
    """How many the host counts it as."""
    patience_s: float = PATIENCE_S


class Session(requests.Session):
    """A requests session that is safe to share between threads: no cookies, no environment, no redirects."""

    def __init__(self, ca_bundle: str | None) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = ca_bundle or True
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", HTTPAdapter(pool_connections=4, pool_maxsize=_POOL))

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", TIMEOUT)
        kwargs.setdefault("allow_redirects", False)
        return super().request(method, url, *args, **kwargs)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], data: bytes | None) -> requests.Response:
        """One request to a percent-encoded address, without what requests does to others first.

        It would take the address apart and encode it again, character by character, which for a read that names all its
        columns takes longer than sending it.
        """
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = method, url
        prepared.prepare_headers(CaseInsensitiveDict(self.headers, **headers))
        prepared.prepare_body(data, None)
        response = self.get_adapter(url).send(prepared, timeout=TIMEOUT, verify=self.verify or True)
        response.content  # noqa: B018 - read to its end, so that the connection is free again
        return response


class HttpClient:
    """Calls to one host. `headers` gives the vendor's own headers for one attempt, from the correlation id."""

    def __init__(
        self,
        base_url: str,
        *,
        vendor: Vendor,
        tokens: TokenSource,
        limiter: Limiter,
        headers: Callable[[str], Mapping[str, str]],
        ca_bundle: str | None = None,
        session: Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(base_url)
        self.base_url = base_url.rstrip("/")
        self.vendor = vendor
        self._scope = f"{parts.scheme}://{parts.netloc}/.default"
        self._tokens, self._limiter, self._headers = tokens, limiter, headers
        self._session = session or Session(ca_bundle)
        self._sleep = sleep

    def close(self) -> None:
        """Drop the pooled connections."""
        self._session.close()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, patience_s: float = PATIENCE_S) -> Answer:
        """`path` begins with a slash, is below the base address and percent-encoded already."""
        call = _Call("GET", path, dict(headers or {}), echo=_query(path), patience_s=patience_s)
        return self._carry_out(call, lambda response: self._read(response, repeatable=True))

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:
        """The answer, if 2xx; else the error. Tries again at once only where that cannot do harm."""
        sent, data = dict(headers or {}), None
        repeatable = method in ("GET", "PUT", "DELETE") or "If-Match" in sent
        if body is not None:
            data, sent["Content-Type"] = wire.dumps(body).encode(), "application/json"
        call = _Call(
            method, path, sent, data, (body, *_query(path)),
            repeatable=repeatable, quick=method == "GET" or (method == "PATCH" and "If-Match" in sent),
        )  # fmt: skip
        return self._carry_out(call, lambda response: self._read(response, repeatable=repeatable))

    def get_many(
        self, path: str, paths: Sequence[str], *, headers: Mapping[str, str] | None = None, patience_s: float
    ) -> list[Any]:
        """The JSON of several GETs in one request to `path` (`$batch`), in their order; each counts as a call.

        One that failed fails them all: what was read is read again.
        """
        each = {"Accept": "application/json", **(headers or {})}
        outer, data = batch.request(f"batch_{uuid.uuid4().hex}", paths, each)
        call = _Call("POST", path, outer, data, calls=len(paths), patience_s=patience_s)

        def read(response: requests.Response) -> list[Any]:
            try:
                parts = batch.answers(response.headers.get("Content-Type", ""), response.content)
                for asked, part in zip(paths, parts, strict=True):
                    if not 200 <= part.status < 300:
                        raise self._refusal(part.status, part.headers, part.content, _query(asked), repeatable=True)
                return [wire.loads(part.content) for part in parts]
            except ValueError:
                raise failures.unreadable(self.vendor, repeatable=True) from None

        return self._carry_out(call, read)

    def _carry_out[T](self, call: _Call, read: Callable[[requests.Response], T]) -> T:
        """What `read` makes of a success; else the error, after the tries that are allowed."""
        correlation_id = correlation.get() or str(uuid.uuid4())
        started, tries, renewed = time.monotonic(), 0, False
        budget_s = max(_BUDGET_S, call.patience_s)
        while True:
            tries += 1
            token = self._tokens.token(self._scope)
            try:
                return read(self._attempt(call, token, correlation_id))
            except AuthorizationError as error:
                if renewed or error.code != f"{self.vendor.prefix}_UNAUTHORIZED":
                    raise
                self._tokens.renew(self._scope, token)
                renewed = True
            except _NeverSent as failure:
                self._breathe(tries, started, budget_s, failure.error)
            except Throttled as error:
                if (error.retry_after_s or 0) > call.patience_s:
                    raise
                self._breathe(tries, started, budget_s, error)
            except Unavailable as error:
                if not call.quick:
                    raise
                self._breathe(tries, started, budget_s, error)

    def _attempt(self, call: _Call, token: str, correlation_id: str) -> requests.Response:
        sent = {"Accept": "application/json", **self._headers(correlation_id), **call.headers}
        sent["Authorization"] = f"Bearer {token}"
        with self._limiter.slot(call.calls, call.patience_s):
            try:
                response = self._session.exchange(call.method, self.base_url + call.path, sent, call.data)
            except requests.RequestException as error:
                failure = failures.from_exception(error, self.vendor, repeatable=call.repeatable)
                # The exception holds the request and thus the token: it must not travel with ours.
                raise (_NeverSent(failure) if failures.never_sent(error) else failure) from None
        if 200 <= response.status_code < 300:
            self._limiter.answered()
            return response
        raise self._refusal(
            response.status_code, response.headers, response.content, call.echo, repeatable=call.repeatable
        )

    def _refusal(
        self, status: int, headers: Mapping[str, str], content: bytes, echo: tuple[Any, ...], *, repeatable: bool
    ) -> SyncError:
        """The error for an answer, or a part of one, outside 2xx."""
        problem = wire.read_problem(status, headers, content, datetime.now(UTC))
        problem = replace(problem, message=redact(without_echo(problem.message, echo)))
        if problem.status == 429 or problem.retry_after_s is not None:
            problem = replace(problem, retry_after_s=self._limiter.pause(problem.retry_after_s))
        return failures.from_answer(problem, self.vendor, repeatable=repeatable)

    def _read(self, response: requests.Response, *, repeatable: bool) -> Answer:
        try:
            body = wire.loads(response.content) if response.content.strip() else None
        except ValueError:
            raise failures.unreadable(self.vendor, repeatable=repeatable) from None
        return Answer(response.status_code, response.headers, body)

    def _breathe(self, tries: int, started: float, budget_s: float, error: SyncError) -> None:
        """Wait before the next try, or raise `error` when there is none."""
        pause = random.uniform(0.1, 0.3) * 2**tries  # noqa: S311 - spreads retries, protects nothing
        if tries >= _TRIES or time.monotonic() - started + pause > budget_s:
            raise error
        if not isinstance(error, Throttled):  # the limiter waits for those, for everyone
            self._sleep(pause)


def _query(path: str) -> tuple[str, str]:
    """What a path asks for, as sent and in plain text."""
    asked = path.partition("?")[2]
    return asked, unquote(asked)


class _NeverSent(Exception):
    """Carries the error of a call that certainly did not arrive, so that any method may try again."""

    def __init__(self, error: SyncError) -> None:
        super().__init__()
        self.error = error
