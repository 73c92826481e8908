"""The messages between the flows: hints that something may have changed, and parked messages.

A hint carries ids, never customer data (A1); whoever receives it reads both sides again. `parse` turns the bytes of a
queue message into a hint or says in one sentence what is wrong with them. Queue names stand here and nowhere else.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.errors import DataProblem


class Queue(StrEnum):
    """Every queue of the connector (A5)."""

    PARTNER_CENTER_EVENTS = "partner-center-events"
    MICROSOFT_REFERRAL_UPDATES = "microsoft-referral-updates"
    DYNAMICS_365_OPPORTUNITIES = "dynamics-365-opportunities"
    DYNAMICS_365_SOLUTIONS = "dynamics-365-solutions"
    DYNAMICS_365_TO_PARTNER_CENTER = "dynamics-365-to-partner-center"
    CREATE_COSELL_REFERRAL = "create-cosell-referral"
    PARKED = "parked"


APPROVED = "approved"
"""Reason of a hint by which an operator takes an inbound deal that awaited review."""
REVIEW = "INBOUND_REVIEW"
"""Code under which a deal is parked that awaits a decision."""
PARKED_IDS_KEPT = timedelta(days=7)
"""Duplicate detection window of the queue `parked`, the longest there is; the other queues' is ten minutes."""


class Reducible:
    """A message that means less than it says: only its essence goes back to a queue."""

    def essence(self) -> str:
        """The message again, without what nobody needs."""
        raise NotImplementedError  # no abstract class: what every delivery asks would be looked up anew each time


class Message(BaseModel):
    """Camel-case JSON on the wire, frozen in memory, unknown members ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )

    def to_json(self) -> str:
        """The wire form."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class Hint(Message):
    """A referral or opportunity may have changed: which one, why, and how often it was tried."""

    schema_version: int = 1
    subject: str
    """`referral`, `opportunity`, `lead` or `solution`."""
    id: uuid.UUID
    reason: str
    """The event or cause in one word or two, such as `referral-updated` or `sweep`; for logs."""
    engagement_id: uuid.UUID | None = None
    correlation_id: uuid.UUID = Field(default_factory=uuid.uuid4)
    """One per business change; sent to Partner Center as MS-CorrelationId and written into the audit line."""
    occurred_at: datetime | None = None
    version: str = ""
    """Whatever tells two changes apart (change time, operation id, row version); part of the message id."""
    attempt: int = 0
    """How many rungs of the retry ladder lie behind."""
    first_seen_at: datetime | None = None

    @property
    def row_id(self) -> str:
        """The id as both vendors spell it: lower-case, dashes, no braces."""
        return str(self.id)

    def message_id(self, queue: str) -> str:
        """Deterministic, so that duplicate detection makes a repeated send one message."""
        parts = [
            queue,
            self.subject,
            self.row_id,
            self.reason,
            self.version or str(self.correlation_id),
            str(self.attempt),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


class ParkedMessage(Message):
    """A message set aside with its reason; `body` is the original text, of a Dataverse change its essence."""

    schema_version: int = 1
    code: str
    sentence: str
    remedy: str
    queue: str
    """Where it came from and where a replay sends it."""
    correlation_id: str
    body: str
    attempt: int = 0
    first_seen_at: datetime | None = None
    parked_at: datetime

    def message_id(self) -> str:
        """Another one each time, as what failed again after a replay must not be lost.

        But a deal that awaits review is met by every event and sweep, and is one message for `PARKED_IDS_KEPT`.
        """
        told = f"{REVIEW}\n{parse(self.body).row_id}" if self.code == REVIEW else self.to_json()
        return hashlib.sha256(told.encode()).hexdigest()[:40]


def parse(body: bytes | str) -> Hint:
    """The hint in a queue message's body; `DataProblem` UNREADABLE_MESSAGE with the reason when it is none."""
    try:
        return Hint.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the message"
        raise DataProblem(
            "UNREADABLE_MESSAGE",
            f"The message is not a hint of this connector: {where}: {first['msg']}.",
            "Find out who sends to this queue; discard the message, or correct and replay it.",
        ) from None
