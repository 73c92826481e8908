"""The performatives of AMQP 1.0 (parts 2 and 5): the commands that frames carry, and the outcomes inside them.

Fields are named and typed as the specification has them; absent ones are None. Encoding leaves trailing absent fields
out, decoding fills them in. Nothing here knows what a performative does: see `connection` and `session`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.broker.amqp_types import Array, CodecError, Described, Symbol, UByte, UInt, ULong, UShort
from sandbox.broker.codec import decode, encode

SENDER, RECEIVER = False, True
"""The role in attach and disposition."""


class Open(NamedTuple):
    container_id: str
    hostname: str | None = None
    max_frame_size: UInt | None = None
    channel_max: UShort | None = None
    idle_time_out: UInt | None = None
    outgoing_locales: Any = None
    incoming_locales: Any = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Symbol, Any] | None = None


class Begin(NamedTuple):
    remote_channel: UShort | None
    next_outgoing_id: UInt
    incoming_window: UInt
    outgoing_window: UInt
    handle_max: UInt | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Symbol, Any] | None = None


class Attach(NamedTuple):
    name: str
    handle: UInt
    role: bool
    snd_settle_mode: UByte | None = None
    rcv_settle_mode: UByte | None = None
    source: Any = None
    target: Any = None
    unsettled: Any = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: UInt | None = None
    max_message_size: ULong | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Symbol, Any] | None = None


class Flow(NamedTuple):
    next_incoming_id: UInt | None
    incoming_window: UInt
    next_outgoing_id: UInt
    outgoing_window: UInt
    handle: UInt | None = None
    delivery_count: UInt | None = None
    link_credit: UInt | None = None
    available: UInt | None = None
    drain: bool | None = None
    echo: bool | None = None
    properties: Any = None


class Transfer(NamedTuple):
    handle: UInt
    delivery_id: UInt | None = None
    delivery_tag: bytes | None = None
    message_format: UInt | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: UByte | None = None
    state: Any = None
    resume: bool | None = None
    aborted: bool | None = None
    batchable: bool | None = None


class Disposition(NamedTuple):
    role: bool
    first: UInt
    last: UInt | None = None
    settled: bool | None = None
    state: Any = None
    batchable: bool | None = None


class Detach(NamedTuple):
    handle: UInt
    closed: bool | None = None
    error: Any = None


class End(NamedTuple):
    error: Any = None


class Close(NamedTuple):
    error: Any = None


class SaslMechanisms(NamedTuple):
    sasl_server_mechanisms: Array


class SaslInit(NamedTuple):
    mechanism: Symbol
    initial_response: bytes | None = None
    hostname: str | None = None


class SaslOutcome(NamedTuple):
    code: UByte
    additional_data: bytes | None = None


type Performative = (
    Open
    | Begin
    | Attach
    | Flow
    | Transfer
    | Disposition
    | Detach
    | End
    | Close
    | SaslMechanisms
    | SaslInit
    | SaslOutcome
)

CODES: dict[type, int] = {
    Open: 0x10,
    Begin: 0x11,
    Attach: 0x12,
    Flow: 0x13,
    Transfer: 0x14,
    Disposition: 0x15,
    Detach: 0x16,
    End: 0x17,
    Close: 0x18,
    SaslMechanisms: 0x40,
    SaslInit: 0x41,
    SaslOutcome: 0x44,
}
_CLASSES: dict[int, Any] = {code: kind for kind, code in CODES.items()}
_PREFIXES = {kind: b"\0" + encode(ULong(code)) for kind, code in CODES.items()}

RECEIVED, ACCEPTED, REJECTED, RELEASED, MODIFIED = (ULong(code) for code in range(0x23, 0x28))
"""Descriptors of the delivery states."""
_ERROR = ULong(0x1D)


def to_bytes(performative: Performative) -> bytes:
    """The body of a frame, without the payload of a transfer."""
    fields = list(performative)
    while fields and fields[-1] is None:
        fields.pop()
    return _PREFIXES[type(performative)] + encode(fields)


def from_bytes(body: bytes) -> tuple[Performative, bytes]:
    """The performative and what follows it (the payload of a transfer); `CodecError` when there is none."""
    described, end = decode(body)
    if not isinstance(described, Described) or not isinstance(described.value, list):
        raise CodecError("a frame without a performative")
    kind = _CLASSES.get(described.descriptor)
    if kind is None:
        raise CodecError(f"unknown performative {described.descriptor!r}")
    try:
        return kind(*described.value), body[end:]
    except TypeError as error:
        raise CodecError(f"malformed {kind.__name__}: {error}") from None


def error(condition: str, description: str) -> Described:
    """An AMQP error. All three fields are written: the SDK reads the third without looking."""
    return Described(_ERROR, [Symbol(condition), description, {}])


def rejected(condition: str, description: str) -> Described:
    """The outcome of a refused delivery."""
    return Described(REJECTED, [error(condition, description)])
