"""A message in a queue and the words around it: its states, a queue's rules, the errors, the journal of changes.

Data only; what happens to it is in `engine`. Times are integers, milliseconds since 1970.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from sandbox.broker.message import Message

DAY_MS = 86_400_000


class State(IntEnum):
    """As `x-opt-message-state` has it."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class LockLost(Exception):
    """The lock token is unknown, expired or already settled."""


class NotFound(Exception):
    """No such message, or not in the state the operation needs."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a queue. `max_delivery_count` None: never dead-letter."""

    lock_duration_ms: int = 60_000
    max_delivery_count: int | None = 10
    duplicate_window_ms: int = 600_000
    default_ttl_ms: int | None = 14 * DAY_MS


@dataclass(slots=True)
class Entry:
    """A message in a queue. Its place in the order is the sequence number."""

    sequence_number: int
    message: Message
    enqueued_at: int
    state: State = State.ACTIVE
    delivery_count: int = 0
    expires_at: int | None = None
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None
    lock_token: uuid.UUID | None = None
    locked_until: int = 0


class Journal(Protocol):
    """Where changes are kept; see `store`."""

    def keep(self, queue: str, entry: Entry) -> None: ...
    def drop(self, queue: str, sequence_number: int) -> None: ...
    def remember(self, queue: str, message_id: str, at: int) -> None: ...
    def forget(self, queue: str, before: int) -> None: ...
    def number(self, queue: str, last: int) -> None: ...
