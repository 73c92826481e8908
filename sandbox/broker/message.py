"""Messages as AMQP sections (part 3): what the broker reads of a message, and what it writes around it.

A sent message is cut into its sections once. Properties and body travel on as the very bytes the sender wrote; header
and annotations are written anew for each delivery, as the service does. `read_request` and `response` serve $cbs and
$management. What happens to a message is in `engine`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.broker.amqp_types import CodecError, Described, Symbol, UInt, ULong
from sandbox.broker.codec import decode, encode, skip

BATCH_FORMAT = 0x80013700
"""message-format of a batch: each data section holds one complete message."""

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, SEQUENCE, VALUE, FOOTER = range(
    0x70, 0x79
)
_SCHEDULED = Symbol("x-opt-scheduled-enqueue-time")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as sent. `encoded` is the whole of it; the other fields are what the broker looks at."""

    encoded: bytes
    header: list[Any] = field(default_factory=list)
    annotations: dict[Any, Any] = field(default_factory=dict)
    properties: bytes = b""
    application_properties: bytes = b""
    body: bytes = b""
    message_id: str | None = None
    ttl_ms: int | None = None
    scheduled_at: int | None = None
    """Milliseconds since 1970; None when the message is due at once."""


def sections(encoded: bytes) -> list[tuple[int, int, int, int]]:
    """(descriptor, start, start of the value, end) of each section."""
    found = []
    position = 0
    while position < len(encoded):
        start = position
        if encoded[start] != 0:
            raise CodecError("a message section without a descriptor")
        descriptor, value_start = decode(encoded, start + 1)
        if not isinstance(descriptor, ULong) or not HEADER <= descriptor <= FOOTER:
            raise CodecError(f"unknown message section {descriptor!r}")
        position = skip(encoded, value_start)
        found.append((int(descriptor), start, value_start, position))
    return found


def parse(encoded: bytes) -> Message:
    """The message in the payload of a transfer; `CodecError` when it is none."""
    header: list[Any] = []
    annotations: dict[Any, Any] = {}
    properties = application_properties = b""
    body: list[bytes] = []
    message_id = None
    for kind, start, value_start, end in sections(encoded):
        if kind == HEADER:
            header = _of(list, decode(encoded, value_start)[0], "header")
        elif kind == ANNOTATIONS:
            annotations = _of(dict, decode(encoded, value_start)[0], "message annotations")
        elif kind == PROPERTIES:
            properties = encoded[start:end]
            fields = _of(list, decode(encoded, value_start)[0], "properties")
            message_id = str(fields[0]) if fields and fields[0] is not None else None
        elif kind == APPLICATION_PROPERTIES:
            application_properties = encoded[start:end]
        elif kind != DELIVERY_ANNOTATIONS:
            body.append(encoded[start:end])
    ttl = header[2] if len(header) > 2 else None
    scheduled = annotations.get(_SCHEDULED)
    return Message(
        encoded,
        header,
        annotations,
        properties,
        application_properties,
        b"".join(body),
        message_id,
        int(ttl) if ttl is not None else None,
        int(scheduled) if scheduled is not None else None,
    )


def unbatch(encoded: bytes) -> list[bytes]:
    """The encoded messages in the payload of a batch."""
    return [
        _of(bytes, decode(encoded, value_start)[0], "batch data")
        for kind, _, value_start, _ in sections(encoded)
        if kind == DATA
    ]


def delivered(
    message: Message,
    delivery_count: int,
    annotations: dict[str, Any],
    extra_properties: dict[str, str] | None = None,
) -> bytes:
    """The message as a receiver gets it.

    `annotations` are the broker's own and win over the sender's; `extra_properties` are added to the application
    properties (the reason of a dead-lettered message).
    """
    header = [*message.header[:4], *([None] * (4 - len(message.header[:4]))), UInt(delivery_count)]
    application_properties = message.application_properties
    if extra_properties:
        merged = {**application_values(message), **extra_properties}
        application_properties = section(APPLICATION_PROPERTIES, merged)
    return b"".join(
        (
            section(HEADER, header),
            section(ANNOTATIONS, {**message.annotations, **{Symbol(key): value for key, value in annotations.items()}}),
            message.properties,
            application_properties,
            message.body,
        )
    )


def section(kind: int, value: Any) -> bytes:
    """One section of a message."""
    return b"\0" + encode(ULong(kind)) + encode(value)


def property_values(message: Message) -> list[Any]:
    """The thirteen fields of the properties section, those present."""
    return list(decode(message.properties)[0].value) if message.properties else []


def application_values(message: Message) -> dict[str, Any]:
    """The application properties."""
    if not message.application_properties:
        return {}
    return _of(dict, decode(message.application_properties)[0].value, "application properties")


def body_value(message: Message) -> Any:
    """The body: bytes (data sections joined), a list (sequences) or the single value."""
    parts = [(kind, decode(message.body, value_start)[0]) for kind, _, value_start, _ in sections(message.body)]
    data = [value for kind, value in parts if kind == DATA]
    if data:
        return b"".join(data)
    if any(kind == VALUE for kind, _ in parts):
        return next(value for kind, value in parts if kind == VALUE)
    return [value for kind, value in parts if kind == SEQUENCE] or b""


# requests to $cbs and $management -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Request:
    """A request: its id (any type; the reply carries it back unchanged), application properties and body."""

    message_id: Any
    properties: dict[str, Any]
    body: Any


def read_request(encoded: bytes) -> Request:
    """The request in the payload of a transfer."""
    message = parse(encoded)
    fields = property_values(message)
    return Request(fields[0] if fields else None, application_values(message), body_value(message))


def response(request: Request, properties: dict[str, Any], body: Any) -> bytes:
    """The reply's payload."""
    fields = [None, None, None, None, None, request.message_id]
    return section(PROPERTIES, fields) + section(APPLICATION_PROPERTIES, properties) + section(VALUE, body)


def _of[T](kind: type[T], value: Any, what: str) -> T:
    if value is None:
        return kind()
    if not isinstance(value, kind) or isinstance(value, Described):
        raise CodecError(f"{what} of type {type(value).__name__}")
    return value
