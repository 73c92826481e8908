"""The operations of a queue's $management node: what the SDK does outside of transfers and dispositions.

Each takes the queue and the request's body and returns the reply's body; refusals become a status and a condition that
the SDK turns into its exceptions. No links here: `node_links` carries requests and replies.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.broker.amqp_types import Array, CodecError, Int, Symbol, Timestamp
from sandbox.broker.delivery import encode_entry
from sandbox.broker.engine import Queue
from sandbox.broker.entry import LockLost, NotFound
from sandbox.broker.message import Request, parse, response


class Invalid(Exception):
    """The request lacks something or has it in the wrong type."""


def answer(queue: Queue, request: Request) -> bytes:
    """The reply to a request, as a transfer's payload."""
    operation = str(request.properties.get("operation", ""))
    handler = _OPERATIONS.get(operation.removeprefix("com.microsoft:"))
    try:
        if handler is None:
            return _reply(request, 501, f"The operation '{operation}' is not supported.", "amqp:not-implemented")
        body = handler(queue, request.body)
    except LockLost as error:
        return _reply(request, 410, str(error), "com.microsoft:message-lock-lost")
    except NotFound as error:
        return _reply(request, 404, str(error), "com.microsoft:message-not-found")
    except (Invalid, CodecError) as error:
        return _reply(request, 400, f"{operation}: {error}", "com.microsoft:argument-error")
    if body is None:
        return _reply(request, 204, "No content")
    return _reply(request, 200, "OK", body=body)


def _reply(request: Request, status: int, description: str, condition: str = "", body: Any = None) -> bytes:
    properties: dict[str, Any] = {"statusCode": Int(status), "statusDescription": description}
    if condition:
        properties["errorCondition"] = Symbol(condition)
    return response(request, properties, body if body is not None else {})


def _renew_lock(queue: Queue, body: dict[str, Any]) -> dict[str, Any]:
    return {"expirations": Array(Timestamp(queue.renew(token)) for token in _list(body, "lock-tokens", uuid.UUID))}


def _peek(queue: Queue, body: dict[str, Any]) -> dict[str, Any] | None:
    entries = queue.peek(_one(body, "from-sequence-number", int), _one(body, "message-count", int))
    if not entries:
        return None
    return {"messages": [{"message": encode_entry(entry, queue.name)} for entry in entries]}


def _schedule(queue: Queue, body: dict[str, Any]) -> dict[str, Any]:
    encoded = [_one(item, "message", bytes) for item in _list(body, "messages", dict)]
    return {"sequence-numbers": Array(queue.send(parse(one)) for one in encoded)}


def _cancel(queue: Queue, body: dict[str, Any]) -> dict[str, Any]:
    for number in _list(body, "sequence-numbers", int):
        queue.cancel(number)
    return {}


def _receive_deferred(queue: Queue, body: dict[str, Any]) -> dict[str, Any]:
    numbers = _list(body, "sequence-numbers", int)
    messages = []
    for entry in queue.receive_deferred(numbers, delete=body.get("receiver-settle-mode") == 0):
        message: dict[str, Any] = {"message": encode_entry(entry, queue.name)}
        if entry.lock_token is not None:
            message["lock-token"] = entry.lock_token
        messages.append(message)
    return {"messages": messages}


def _update_disposition(queue: Queue, body: dict[str, Any]) -> dict[str, Any]:
    status = _one(body, "disposition-status", str)
    settle = _SETTLEMENTS.get(status)
    if settle is None:
        raise Invalid(f"unknown disposition-status '{status}'")
    for token in _list(body, "lock-tokens", uuid.UUID):
        settle(queue, token, body)
    return {}


def _dead_letter(queue: Queue, token: uuid.UUID, body: dict[str, Any]) -> None:
    queue.dead_letter(token, body.get("deadletter-reason"), body.get("deadletter-description"))


_SETTLEMENTS: dict[str, Callable[[Queue, uuid.UUID, dict[str, Any]], None]] = {
    "completed": lambda queue, token, _: queue.complete(token),
    "abandoned": lambda queue, token, _: queue.abandon(token),
    "defered": lambda queue, token, _: queue.defer(token),  # the service's spelling
    "suspended": _dead_letter,
}
_OPERATIONS: dict[str, Callable[[Queue, dict[str, Any]], dict[str, Any] | None]] = {
    "renew-lock": _renew_lock,
    "peek-message": _peek,
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel,
    "receive-by-sequence-number": _receive_deferred,
    "update-disposition": _update_disposition,
}


def _one[T](body: Any, name: str, kind: type[T]) -> T:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind):
        raise Invalid(f"'{name}' is missing or not {kind.__name__}")
    return value


def _list[T](body: dict[str, Any], name: str, kind: type[T]) -> list[T]:
    values = body.get(name) if isinstance(body, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise Invalid(f"'{name}' is missing or not a list of {kind.__name__}")
    return values
