"""The host's HTTP side: routes, keys, limits, and the exact bytes of each request handed to its function.

Bodies are never decoded or rewritten, because webhook signatures are computed over them. A failing function answers 500
with an empty body; its traceback is for the log only. The management routes are in `admin.py`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.host import routes
from sandbox.host.configuration import HostJson
from sandbox.host.invocations import Invocations
from sandbox.host.runtime import Datum, Outcome

_log = logging.getLogger("sandbox.host")
BODY_PATIENCE_S = 30.0
"""How long a request may send nothing while its body is incomplete."""


class Refused(Exception):
    """The request ends here with this status and an empty body."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class HttpFront:
    """The ASGI application. One per process; lives on the event loop."""

    def __init__(
        self,
        table: list[routes.Route],
        settings: HostJson,
        key: str,
        invocations: Invocations,
        admin: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self._table = table
        self._settings = settings
        self._key = key.encode()
        self._invocations = invocations
        self._admin = admin
        self._outstanding = 0
        self._slots = asyncio.Semaphore(settings.max_concurrent_requests or 1_000_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Refused as refusal:
            # The rest of an unread body is not worth reading: end the connection with the answer.
            response = Response(status_code=refusal.status, headers={"connection": "close"})
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.scope["path"].startswith("/admin/"):
            return await self._admin(request) if self._admits(request) else Response(status_code=401)
        found = routes.match(self._table, request.method, request.scope["path"])
        if found is None:
            return Response(status_code=404)
        route, parameters = found
        if route.trigger.level != "ANONYMOUS" and not self._admits(request):
            return Response(status_code=401)
        limit = self._settings.max_outstanding_requests
        if limit is not None and self._outstanding >= limit:
            raise Refused(429)
        self._outstanding += 1
        try:
            async with self._slots:
                value = _datum(request, parameters, await _body(request, self._settings.body_limit))
                outcome = await self._invocations.call(route.function, value, {})
            try:
                return _response(outcome)
            except ValueError as error:  # such as a status of "fine" or a header outside Latin-1
                _log.error("%s answered what HTTP cannot carry: %s", route.function.name, error)
                return Response(status_code=500)
        finally:
            self._outstanding -= 1

    def _admits(self, request: Request) -> bool:
        """One key opens functions and management alike, as the master key does in Azure."""
        given = request.headers.get("x-functions-key") or request.query_params.get("code") or ""
        return secrets.compare_digest(given.encode(), self._key)


async def _body(request: Request, limit: int) -> bytes:
    """The request's bytes; 413 as soon as they exceed the limit, 408 when the sender stalls, 400 for a bad length."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal():
        raise Refused(400)
    if int(announced) > limit:
        raise Refused(413)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_PATIENCE_S) as patience:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise Refused(413)
                chunks.append(chunk)
                patience.reschedule(asyncio.get_running_loop().time() + BODY_PATIENCE_S)
    except TimeoutError:
        raise Refused(408) from None
    return b"".join(chunks)


def _datum(request: Request, parameters: dict[str, str], body: bytes) -> Datum:
    """The request in the shape the real host sends: repeated names joined by a comma, empty query values left out."""
    query: dict[str, str] = {}
    for name, text in request.query_params.multi_items():
        if text:
            query[name] = f"{query[name]},{text}" if name in query else text
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(_url(request), "string"),
            "headers": {name: Datum(text, "string") for name, text in _joined(request.headers).items()},
            "query": {name: Datum(text, "string") for name, text in query.items()},
            "params": {name: Datum(text, "string") for name, text in parameters.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def _url(request: Request) -> str:
    scope = request.scope
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    return f"{scope['scheme']}://{request.headers.get('host', '')}{scope['raw_path'].decode('latin-1')}{query}"


def _joined(headers: Headers) -> dict[str, str]:
    return {name.lower(): ",".join(headers.getlist(name)) for name in headers}


def _response(outcome: Outcome) -> Response:
    """The function's answer; 500 with an empty body when it failed, 204 when it returned nothing."""
    if not outcome.ok:
        return Response(status_code=500)
    if outcome.value is None:
        return Response(status_code=204)
    if outcome.value.type != "http":
        return Response(outcome.value.value, media_type="text/plain")
    parts = outcome.value.value
    response = Response(parts["body"].value, status_code=int(parts["status_code"].value))
    for name, text in parts["headers"].items():
        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
            response.headers[name] = text.value
    for cookies in parts.get("cookies") or ():
        for morsel in cookies.values():
            response.headers.append("set-cookie", morsel.OutputString())
    return response
