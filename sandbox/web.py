"""What the HTTP simulators (`entra`, `partner_center`, `dataverse`) share: clock, request log, faults, `/_sim`.

    simulator = Simulator("partner_center", layout, refuse=render, reset=store.clear)
    app = simulator.app(routes)        # routes: Starlette's, async handlers; raise `Refusal` to refuse
    serve(app, layout, "partner_center")

`refuse(request, refusal)` renders a refusal in the vendor's shape; unknown routes (404, 405), faults and crashes (500)
pass through it as well. The control surface is documented in `docs/sandbox.md`. Tokens: `sandbox.tokens`; faults:
`sandbox.faults`; the process around it: `sandbox.serving`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from sandbox.faults import Fault, Faults
from sandbox.layout import Layout
from sandbox.serving import drop_connection, layout_from_arguments, serve
from sandbox.tokens import Claims, Refusal, TokenRefused, check_token, issue_token, unverified_client_id

__all__ = [
    "Claims",
    "Refusal",
    "Simulator",
    "TokenRefused",
    "form_body",
    "issue_token",
    "json_body",
    "layout_from_arguments",
    "require_token",
    "serve",
]

type Render = Callable[[Request, Refusal], Response]
type Reset = Callable[[], Awaitable[None] | None]

_KEPT_REQUESTS = 100_000


class Simulator:
    """One simulated vendor. `now()` is its clock: aware UTC, ahead of the real one by what `/_sim/clock` added."""

    def __init__(self, name: str, layout: Layout, *, refuse: Render, reset: Reset) -> None:
        self.layout = layout
        self.faults = Faults()
        self._refuse = refuse
        self._reset = reset
        self._requests: list[dict[str, Any]] = []
        self._received = 0
        self._clock_file = layout.state / f"{name}-clock.json"
        self._ahead_s = float(json.loads(self._clock_file.read_text())) if self._clock_file.exists() else 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def app(self, routes: Sequence[BaseRoute], *, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """The whole application: `routes`, the control surface, the request log and the faults."""
        app = Starlette(
            routes=[*self._control_routes(), *routes],
            lifespan=lifespan,
            exception_handlers={Refusal: self._render, HTTPException: self._render, Exception: self._render},
        )
        app.state.simulator = self
        app.add_middleware(_Front, simulator=self)
        return app

    # requests -------------------------------------------------------------------------------------------------------
    def record(self, scope: Scope, client: str | None) -> dict[str, Any]:
        self._received += 1
        entry = {
            "n": self._received,
            "at": self.now().isoformat(),
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": None,  # stays null when the connection was dropped without an answer
            "client": client,
        }
        self._requests.append(entry)
        if len(self._requests) > _KEPT_REQUESTS:
            del self._requests[: _KEPT_REQUESTS // 10]
        return entry

    def refusal(self, request: Request, refusal: Refusal) -> Response:
        """The vendor's rendering of a refusal, with the refusal's headers."""
        response = self._refuse(request, refusal)
        response.headers.update(refusal.headers)
        return response

    def _render(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Refusal(error.status_code, "", error.detail, headers=dict(error.headers or {}))
        if not isinstance(error, Refusal):
            error = Refusal(500, "", f"The simulator failed: {type(error).__name__}.")
        if request.url.path.startswith("/_sim"):
            return JSONResponse({"error": error.message}, error.status, error.headers)
        return self.refusal(request, error)

    # control surface ------------------------------------------------------------------------------------------------
    def _control_routes(self) -> list[Route]:
        return [
            Route("/_sim/requests", self._list_requests, methods=["GET"]),
            Route("/_sim/requests", self._forget_requests, methods=["DELETE"]),
            Route("/_sim/faults", self._list_faults, methods=["GET"]),
            Route("/_sim/faults", self._add_fault, methods=["POST"]),
            Route("/_sim/faults", self._remove_faults, methods=["DELETE"]),
            Route("/_sim/faults/{id:int}", self._remove_faults, methods=["DELETE"]),
            Route("/_sim/reset", self._forget_everything, methods=["POST"]),
            Route("/_sim/clock", self._read_clock, methods=["GET"]),
            Route("/_sim/clock", self._advance_clock, methods=["POST"]),
        ]

    async def _list_requests(self, request: Request) -> Response:
        asked = request.query_params
        chosen = [
            entry
            for entry in self._requests
            if (not asked.get("method") or entry["method"] == asked["method"].upper())
            and entry["path"].startswith(asked.get("path", ""))
            and (not asked.get("client") or entry["client"] == asked["client"])
        ]
        return JSONResponse(chosen)

    async def _forget_requests(self, request: Request) -> Response:
        self._requests.clear()
        return Response(status_code=204)

    async def _list_faults(self, request: Request) -> Response:
        return JSONResponse(self.faults.listing())

    async def _add_fault(self, request: Request) -> Response:
        body = await json_body(request)
        try:
            fault = Fault.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "body"
            raise Refusal(400, "", f"Not a fault: {place}: {first['msg']}.") from error
        return JSONResponse({"id": self.faults.add(fault)}, 201)

    async def _remove_faults(self, request: Request) -> Response:
        if not self.faults.remove(request.path_params.get("id")):
            raise Refusal(404, "", "There is no such fault.")
        return Response(status_code=204)

    async def _forget_everything(self, request: Request) -> Response:
        self._requests.clear()
        self.faults.remove()
        self._set_ahead(0.0)
        done = self._reset()
        if inspect.isawaitable(done):
            await done
        return Response(status_code=204)

    async def _read_clock(self, request: Request) -> Response:
        return JSONResponse({"now": self.now().isoformat(), "ahead_s": self._ahead_s})

    async def _advance_clock(self, request: Request) -> Response:
        body = await json_body(request)
        seconds = body.get("advance_s") if isinstance(body, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise Refusal(400, "", 'Send {"advance_s": seconds}; a clock only goes forward.')
        self._set_ahead(self._ahead_s + seconds)
        return await self._read_clock(request)

    def _set_ahead(self, seconds: float) -> None:
        self._ahead_s = seconds
        self._clock_file.write_text(json.dumps(seconds))


async def json_body(request: Request) -> Any:
    """The request's JSON body, numbers with a fraction as float; `Refusal` 400 when it is none."""
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, "", "The body is not valid JSON.") from error


async def form_body(request: Request) -> dict[str, str]:
    """The fields of an url-encoded body; a repeated field's last value."""
    return dict(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))


def require_token(request: Request, layout: Layout, audience: str | Sequence[str]) -> Claims:
    """The caller's claims; `TokenRefused` (401) when there is no valid token for `audience`."""
    simulator = cast(Simulator, request.app.state.simulator)
    return check_token(layout, request.headers.get("authorization", ""), audience, simulator.now())


class _Front:
    """Logs each API request and lets it suffer its faults."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith("/_sim"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        client = unverified_client_id(request.headers.get("authorization", ""))
        # Downloads of the signer's certificate are not API requests.
        entry = {} if path.startswith("/cert") else self._simulator.record(scope, client)

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        for fault in self._simulator.faults.strike(scope["method"], path, client):
            if fault.kind == "latency":
                await asyncio.sleep(fault.delay_s)
                continue
            await self._suffer(fault, request, noting_send, entry)
            return
        try:
            await self._app(scope, receive, noting_send)
        except Exception:
            entry["status"] = 500  # answered further out, by Starlette
            raise

    async def _suffer(self, fault: Fault, request: Request, send: Send, entry: dict[str, Any]) -> None:
        scope, receive = request.scope, request.receive
        if fault.kind == "status":
            await request.body()  # an answer before the body was read would reset the sender's connection
            await self._faulty_answer(fault, request)(scope, receive, send)
            return
        if fault.kind in ("hold", "hold_answer"):
            await self._hold(fault, request, send, entry)
            return
        if fault.kind == "lost_answer":
            await self._app(scope, receive, _swallow)
        await drop_connection(scope, receive)

    async def _hold(self, fault: Fault, request: Request, send: Send, entry: dict[str, Any]) -> None:
        """The caller waits before (`hold`) or after the request is applied, and can be killed at exactly this point.

        Of a caller that is gone, what was not applied yet is forgotten.
        """
        body: Message = {"type": "http.request", "body": await request.body(), "more_body": False}
        unread = iter((body,))

        async def receive() -> Message:
            return next(unread, None) or await request.receive()

        if fault.kind == "hold":
            if not await _gone(request, fault.delay_s):
                await self._app(request.scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(request.scope, receive, keep)
        entry["status"] = answer[0]["status"]
        if not await _gone(request, fault.delay_s):
            for message in answer:
                await send(message)

    def _faulty_answer(self, fault: Fault, request: Request) -> Response:
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        if fault.body == "vendor":
            refusal = Refusal(fault.status, "", "A planted fault.", headers=headers)
            return self._simulator.refusal(request, refusal)
        if fault.body == "empty":
            return Response(status_code=fault.status, headers=headers)
        return HTMLResponse(f"<html><body><h1>{fault.status}</h1></body></html>", fault.status, headers)


async def _gone(request: Request, within_s: float) -> bool:
    """Whether the caller hangs up within this time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return True
    return False


async def _swallow(message: Message) -> None:
    """The network that lost the answer."""
