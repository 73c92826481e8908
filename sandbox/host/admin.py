"""The host's management routes, behind its key: start a function by hand, state, and counts.

`POST /admin/functions/{name}` is the real host's; `?wait=true` and `GET /admin/host/invocations` are ours, for tests.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.host import queue_message, timer_trigger
from sandbox.host.invocations import Invocations
from sandbox.host.runtime import Datum, Outcome
from sandbox.host.triggers import Function, HttpTrigger, TimerTrigger


class Admin:
    """Answers requests below /admin whose key was checked already."""

    def __init__(
        self,
        functions: Iterable[Function],
        invocations: Invocations,
        state: Callable[[], dict[str, object]],
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._invocations = invocations
        self._state = state
        self._begun = time.monotonic()
        self.running: set[asyncio.Task[Outcome]] = set()
        """What was started here and has not ended."""

    async def __call__(self, request: Request) -> Response:
        path = request.scope["path"].rstrip("/")
        if (request.method, path) == ("GET", "/admin/host/status"):
            uptime_ms = int((time.monotonic() - self._begun) * 1000)
            return JSONResponse({"state": "Running", "processUptime": uptime_ms, **self._state()})
        if (request.method, path) == ("GET", "/admin/host/invocations"):
            return JSONResponse(self._invocations.counts())
        name = path.removeprefix("/admin/functions/")
        if request.method == "POST" and name in self._functions:
            return await self._start(self._functions[name], request)
        return Response(status_code=404)

    async def _start(self, function: Function, request: Request) -> Response:
        try:
            given = json.loads(await request.body() or b"{}")
            text = given.get("input") or ""
        except (ValueError, AttributeError):
            return _sentence(400, 'The body must be JSON such as {"input": "text"}.')
        if isinstance(function.trigger, HttpTrigger):
            return _sentence(400, f"{function.name} is an HTTP function; call its route instead.")
        value, metadata = _value(function, text if isinstance(text, str) else json.dumps(text))
        task = asyncio.create_task(self._invocations.call(function, value, metadata))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        if request.query_params.get("wait") != "true":
            return Response(status_code=202)
        outcome = await task
        return Response(status_code=200) if outcome.ok else _sentence(500, outcome.error)


def _value(function: Function, text: str) -> tuple[Datum, dict[str, Datum]]:
    if isinstance(function.trigger, TimerTrigger):
        now = datetime.now(UTC)
        return timer_trigger.datum(None, timer_trigger.next_due(function.trigger.schedule, now), now), {}
    binary = not isinstance(function.trigger, HttpTrigger) and function.trigger.binary
    return queue_message.from_bytes(text.encode(), binary), queue_message.invented_metadata()


def _sentence(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
