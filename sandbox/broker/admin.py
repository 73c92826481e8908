"""The broker's admin port: plain HTTP for tests and the live page, not part of Service Bus.

Looks into the queues, empties them, makes what they hold older, and asks for faults. On loopback and without a token,
as everything of the sandbox's own. The requests are listed in docs/sandbox.md.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.broker.broker import Broker
from sandbox.broker.engine import Queue
from sandbox.broker.entry import Entry, NotFound, State
from sandbox.broker.faults import Fault
from sandbox.broker.message import application_values, body_value, property_values
from sandbox.broker.namespace import DEAD_LETTERS

_PROPERTIES = ("message_id", "user_id", "to", "subject", "reply_to", "correlation_id", "content_type")


class Advance(BaseModel):
    """Body of POST /clock."""

    model_config = ConfigDict(extra="forbid")

    advance_s: float = Field(ge=0)


class Idle(BaseModel):
    """Query of GET /idle. `scheduled`: such messages count as movement; `without`: a queue that does not count."""

    model_config = ConfigDict(extra="forbid")

    scheduled: bool = False
    without: str = ""
    within_s: float = Field(default=0, ge=0, le=30)


class Admin:
    """The endpoints over one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/queues", self.queues),
                Route("/idle", self.idle),
                Route("/queues/{name}/messages", self.messages),
                Route("/queues/{name}", self.purge, methods=["DELETE"]),
                Route("/clock", self.clock, methods=["POST"]),
                Route("/faults", self.faults, methods=["GET", "POST", "DELETE"]),
                Route("/faults/{number:int}", self.faults, methods=["DELETE"]),
            ],
            exception_handlers={HTTPException: _sentence, ValidationError: _invalid},
        )

    async def queues(self, _: Request) -> JSONResponse:
        """`{name: {active, scheduled, deferred, locked, dead_letter}}`; every message is in one of them."""
        self._broker.namespace.run_due()
        return JSONResponse(self._broker.namespace.counts())

    async def idle(self, request: Request) -> JSONResponse:
        """`{idle, sent, queues}`: at once when nothing is active or locked, else when that is so, or after `within_s`.

        `sent` is how many messages have come to any queue so far: equal answers say that none came in between.
        """
        asked = Idle.model_validate(dict(request.query_params))
        states = ("active", "locked", "scheduled") if asked.scheduled else ("active", "locked")
        give_up_at = time.monotonic() + asked.within_s
        namespace = self._broker.namespace
        while True:
            namespace.run_due()
            queues = namespace.counts()
            idle = not any(queues[name][state] for name in queues if name != asked.without for state in states)
            left_s = give_up_at - time.monotonic()
            if idle or left_s <= 0:
                return JSONResponse({"idle": idle, "sent": namespace.sent, "queues": queues})
            await self._broker.next_turn(left_s)

    async def messages(self, request: Request) -> JSONResponse:
        """The messages, oldest first; `?dead_letter=true` those of the dead-letter queue, `?limit=` at most (1000)."""
        queue = self._queue(request, dead_letter=request.query_params.get("dead_letter") == "true")
        limit = request.query_params.get("limit", "1000")
        if not limit.isdigit():
            raise HTTPException(400, f"limit is a number of messages, not '{limit}'.")
        return JSONResponse([_shown(entry) for entry in queue.peek(0, int(limit))])

    async def purge(self, request: Request) -> JSONResponse:
        """Empties the queue and its dead-letter queue and forgets the message ids seen. `{"removed": n}`"""
        both = (self._queue(request), self._queue(request, dead_letter=True))
        removed = sum(len(queue.entries) for queue in both)
        for queue in both:
            queue.purge()
        self._broker.turn()
        return JSONResponse({"removed": removed})

    async def clock(self, request: Request) -> JSONResponse:
        """Makes everything the broker holds `advance_s` older; its clock and the clients' stay the same."""
        advance = Advance.model_validate_json(await request.body())
        self._broker.namespace.age(int(advance.advance_s * 1000))
        self._broker.turn()
        return JSONResponse({"advanced_s": advance.advance_s})

    async def faults(self, request: Request) -> JSONResponse:
        """The faults with how often each fired; POST adds one, DELETE removes one or all."""
        faults = self._broker.faults
        if request.method == "POST":
            fault = Fault.model_validate_json(await request.body())
            if fault.kind == "drop_connections":
                fault.fired = self._broker.drop_connections()
            return JSONResponse({"id": faults.add(fault)})
        if request.method == "DELETE":
            number = request.path_params.get("number")
            if number is None:
                faults.active.clear()
            elif faults.active.pop(number, None) is None:
                raise HTTPException(404, f"There is no fault {number}.")
        return JSONResponse([{"id": number, **fault.model_dump()} for number, fault in faults.active.items()])

    def _queue(self, request: Request, dead_letter: bool = False) -> Queue:
        name = request.path_params["name"]
        try:
            return self._broker.namespace.find(name + DEAD_LETTERS if dead_letter else name)
        except NotFound:
            known = ", ".join(self._broker.namespace.names)
            raise HTTPException(404, f"There is no queue '{name}'; the queues are {known}.") from None


def _shown(entry: Entry) -> dict[str, Any]:
    """An entry as JSON: times in ISO 8601, the body as text."""
    message = entry.message
    body = body_value(message)
    return {
        "sequence_number": entry.sequence_number,
        "state": entry.state.name.lower(),
        "locked": entry.lock_token is not None,
        "delivery_count": entry.delivery_count,
        "enqueued_at" if entry.state is not State.SCHEDULED else "scheduled_at": _iso(entry.enqueued_at),
        "expires_at": _iso(entry.expires_at),
        "dead_letter_reason": entry.dead_letter_reason,
        "dead_letter_description": entry.dead_letter_description,
        **dict(zip(_PROPERTIES, map(_plain, property_values(message)), strict=False)),
        "application_properties": _plain(application_values(message)),
        "body": body.decode(errors="replace") if isinstance(body, bytes) else _plain(body),
    }


def _iso(milliseconds: int | None) -> str | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat() if milliseconds is not None else None


def _plain(value: Any) -> Any:
    """An AMQP value as JSON has it."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case bytes():
            return value.decode(errors="replace")
        case uuid.UUID():
            return str(value)
        case _:
            return value


async def _sentence(_: Request, error: Exception) -> JSONResponse:
    status, sentence = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return JSONResponse({"error": sentence}, status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    problems = error.errors(include_url=False, include_input=False) if isinstance(error, ValidationError) else []
    where = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in problems)
    return JSONResponse({"error": f"The request is not understood: {where}."}, 400)
