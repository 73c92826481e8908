"""What the connector remembers of a pair, in one hidden JSON column of the opportunity (decision A2).

`seen` is the merge base: for every field the two values last agreed on, Partner Center's and the CRM's, which differ
where one side cannot hold the other's value (truncated notes, an unknown currency). Long values are kept as a hash.
The state is written in the same PATCH as the fields it describes, under the same `If-Match`.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

type Canonical = str | int | bool | tuple[str, ...] | None
"""A value in the form both sides are compared in: money and dates as text, choices as words, lists sorted."""

COLUMN = "cosell_syncstate"
_LONG = 120
_quoted = json.encoder.encode_basestring
_encode = lru_cache(maxsize=1024, typed=True)(json.JSONEncoder(ensure_ascii=False).encode)
"""Keeps what it encoded, as nothing else decides: lists are short, and met again by each flow and sweep."""


def fingerprint(value: Canonical) -> str | None:
    """A short text that is equal exactly when the values are; None for no value."""
    if value is None or value in ("", ()):
        return None
    text = _quoted(value) if isinstance(value, str) else _encode(value)
    return text if len(text) <= _LONG else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Seen(BaseModel):
    """Fingerprints of one field on both sides when they last agreed."""

    model_config = ConfigDict(frozen=True)

    pc: str | None = None
    crm: str | None = None


class Sent(Seen):
    """What both sides hold of one field once a value on its way to Partner Center has arrived."""

    before: str | None = None
    """Partner Center's value when it was sent; "" when there was no referral yet. Still there: nothing has arrived."""


class Reservation(BaseModel):
    """Flow 2 is about to create the referral: whoever comes next looks for it first (decision A4)."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    run: str
    name: str | None = None
    """Fingerprint of the name the referral is created under, which it keeps: a colleague's has another."""


class Delay(BaseModel):
    """A seller's change waits because Partner Center does not answer, and the seller has read so."""

    model_config = ConfigDict(frozen=True)

    told_at: datetime
    changed_at: datetime | None = None
    """When the row had last been changed before that was written into it."""


class SyncState(BaseModel):
    """One pair's memory; every default means "nothing known yet"."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = 1
    referral_id: str | None = None
    engagement_id: str | None = None
    microsoft_referral_id: str | None = None
    etag: str | None = None
    """eTag of the own referral after our last write or read that was applied."""
    referral_at: datetime | None = None
    """When that version was made: an answer that is older knows less than the base, and counts for nothing."""
    microsoft_at: datetime | None = None
    """The same of Microsoft's referral, for the columns that show its answer."""
    outbound: bool = False
    """Whether the deal was created from the CRM."""
    seen: dict[str, Seen] = {}
    sent: dict[str, Sent] = {}
    """What is on its way to Partner Center: the base of these fields as soon as its value is no longer the one before.

    Written before the PATCH. Who finds it after a crash, or after a seller's next edit, knows our own value at Partner
    Center from a person's, and a person's as made after ours.
    """
    status_pc: str | None = None
    status_crm: str | None = None
    """The two states (words of `shared.domain.status`) when they last agreed."""
    reservation: Reservation | None = None
    attempt: Reservation | None = None
    """A creation that was cut short and then given up: should its referral turn up, `sent` is the base."""
    linking: bool = False
    """Created from Partner Center, but solutions or the CRM id at Partner Center are still missing."""
    terminal_since: datetime | None = None
    """When Won or Lost was first seen in the CRM; sent after the grace period."""
    held: bool = False
    """The deal's closing waits for an operator (`shared.handlers.brake`), and the seller has read so."""
    problem: str | None = None
    """Fingerprint of the problem last written to the audit, so that it is written once."""
    delay: Delay | None = None
    """None again as soon as Partner Center answered: a seller is told once per outage."""
    told: dict[str, str] = {}
    """Note code → fingerprint of what it was about, so that a seller reads each once."""

    def with_seen(self, changes: dict[str, tuple[Canonical, Canonical]]) -> SyncState:
        """This state with new agreed values."""
        seen = {field: Seen(pc=fingerprint(pc), crm=fingerprint(crm)) for field, (pc, crm) in changes.items()}
        sent = {field: value for field, value in self.sent.items() if field not in seen}
        return self.model_copy(update={"seen": {**self.seen, **seen}, "sent": sent})

    def but(self, **changes: Any) -> SyncState:
        return self.model_copy(update=changes)

    def to_json(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


@lru_cache(maxsize=256)
def parse(text: str | None) -> SyncState:
    """The state in a row; an unreadable one counts as empty, so the merge starts without a base as for a new link.

    A pair is looked at by several flows, and by a sweep with all of them: the same text is read once.
    """
    try:
        return SyncState.model_validate_json(text) if text else SyncState()
    except ValidationError:
        return SyncState()
