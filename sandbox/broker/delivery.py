"""A queue's entry as bytes for a receiver: the message with what the broker knows about it.

Used alike for transfers and for the messages inside $management replies, so both look the same to the SDK.
"""

from __future__ import annotations

from typing import Any

from sandbox.broker.amqp_types import Int, Timestamp
from sandbox.broker.entry import Entry
from sandbox.broker.message import delivered
from sandbox.broker.namespace import DEAD_LETTERS


def encode_entry(entry: Entry, queue: str) -> bytes:
    """The message with delivery count, enqueued time, sequence number, state, and lock end if it is locked."""
    annotations: dict[str, Any] = {
        "x-opt-enqueued-time": Timestamp(entry.enqueued_at),
        "x-opt-sequence-number": entry.sequence_number,
        "x-opt-message-state": Int(entry.state),
    }
    if entry.lock_token is not None:
        annotations["x-opt-locked-until"] = Timestamp(entry.locked_until)
    reasons: dict[str, str] = {}
    if queue.endswith(DEAD_LETTERS):
        annotations["x-opt-deadletter-source"] = queue.removesuffix(DEAD_LETTERS)
        if entry.dead_letter_reason is not None:
            reasons["DeadLetterReason"] = entry.dead_letter_reason
        if entry.dead_letter_description is not None:
            reasons["DeadLetterErrorDescription"] = entry.dead_letter_description
    return delivered(entry.message, entry.delivery_count, annotations, reasons)
