"""One Service Bus message in the shape the real host gives to the Python worker. Pure; no settlement, no sockets.

Texts travel as `string`; numbers, times and dictionaries as `json`. Times carry no offset, so Python sees naive UTC.
`DeliveryCount` starts at 1. `UserProperties` must always be present: the worker takes it as "one message, not a batch".
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from sandbox.host.runtime import Datum

_NEVER = "9999-12-31T23:59:59.9999999"


def body(message: ServiceBusReceivedMessage, binary: bool) -> Datum:
    """The message's body; bytes only when the binding asks for them, otherwise text as .NET decodes it."""
    kind, content = message.body_type, message.body
    if kind == AmqpMessageBodyType.DATA:
        content = b"".join(content)
    elif kind != AmqpMessageBodyType.VALUE or not isinstance(content, str | bytes):
        raise ValueError(f"A message body of AMQP type {kind.value} cannot be handed to a function.")
    return from_bytes(content.encode() if isinstance(content, str) else content, binary)


def from_bytes(content: bytes, binary: bool) -> Datum:
    return Datum(content, "bytes") if binary else Datum(content.decode("utf-8", errors="replace"), "string")


def metadata(message: ServiceBusReceivedMessage) -> dict[str, Datum]:
    """The trigger metadata of a received message."""
    properties = {_text(name): _plain(value) for name, value in (message.application_properties or {}).items()}
    expires_at = message.expires_at_utc
    return _metadata(
        texts={
            "MessageId": message.message_id,
            "LockToken": str(message.lock_token),
            "ContentType": message.content_type,
            "CorrelationId": message.correlation_id,
            "Subject": message.subject,
            "Label": message.subject,
            "To": message.to,
            "ReplyTo": message.reply_to,
            "ReplyToSessionId": message.reply_to_session_id,
            "SessionId": message.session_id,
            "PartitionKey": message.partition_key,
            "DeadLetterSource": message.dead_letter_source,
        },
        values={
            "DeliveryCount": (message.delivery_count or 0) + 1,
            "SequenceNumber": message.sequence_number,
            "EnqueuedTimeUtc": _naive(message.enqueued_time_utc),
            "ExpiresAtUtc": _naive(expires_at) if expires_at else _NEVER,
            "ApplicationProperties": properties,
            "UserProperties": properties,
        },
    )


def invented_metadata() -> dict[str, Datum]:
    """The metadata of a message that never was in a queue: a function started by hand."""
    return _metadata(
        texts={"MessageId": uuid.uuid4().hex, "LockToken": str(uuid.uuid4())},
        values={
            "DeliveryCount": 1,
            "SequenceNumber": 0,
            "EnqueuedTimeUtc": _naive(datetime.now(UTC)),
            "ExpiresAtUtc": _NEVER,
            "ApplicationProperties": {},
            "UserProperties": {},
        },
    )


def _metadata(texts: dict[str, str | None], values: dict[str, Any]) -> dict[str, Datum]:
    data = {name: Datum(str(text), "string") for name, text in texts.items() if text is not None}
    return data | {name: Datum(json.dumps(value), "json") for name, value in values.items() if value is not None}


def _naive(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """A property's value as JSON can carry it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return _naive(value) if isinstance(value, datetime) else _text(value)
