"""What a verified event says: its kind, the referral's id, and when the change happened.

Only a validated GUID is taken from a `ResourceUri`; the address itself is never returned, so nobody can fetch it. An
event we have no use for (another family, a foreign address, too old) is `ignored` and to be answered 200, because a
repetition would not help; an event that is malformed is `Rejected` 400. Runs after the signature is known to be good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.errors import Rejected
from shared.webhook.bounds import read_object
from shared.webhook.policy import TrustPolicy


class Kind(StrEnum):
    """What is to be done: look at our referral, at another party's, note a test, or nothing."""

    REFERRAL = "referral"
    RELATED = "related"
    TEST = "test"
    IGNORED = "ignored"


KINDS = {
    "referral-created": Kind.REFERRAL,
    "referral-updated": Kind.REFERRAL,
    "related-referral-created": Kind.RELATED,
    "related-referral-updated": Kind.RELATED,
    "test-created": Kind.TEST,
}


class Event(BaseModel):
    """One event. `referral_id` is set exactly when the kind is referral or related; `because` when it is ignored."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    event_name: str
    resource_name: str
    changed_at: datetime
    referral_id: UUID | None = None
    because: str = ""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_RESOURCE = re.compile(
    r"(?P<origin>https://[a-z0-9.-]+(?::[0-9]{1,5})?)(?:/[a-z0-9][a-z0-9._-]{0,63}){0,8}/"
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)


def read(body: bytes, now: datetime, policy: TrustPolicy) -> Event:
    """The event in a verified body; `now` is aware UTC."""
    members = read_object(body, policy)
    name = _text(members, "EventName", _NAME)
    resource_name = _text(members, "ResourceName", _NAME)
    address = _text(members, "ResourceUri")
    changed_at = _moment(_text(members, "ResourceChangeUtcDate", _TIME))
    kind = KINDS.get(name, Kind.IGNORED)
    referral_id = None
    because = ""
    if kind is Kind.IGNORED:
        because = "This kind of event is not about referrals."
    elif now - changed_at > policy.max_age:
        because = f"The change is older than {policy.max_age.days} days; the sweep has covered it."
    elif changed_at - now > policy.max_ahead:
        because = "The change lies in the future."
    elif kind is not Kind.TEST:
        referral_id = _referral_id(address, policy)
        if referral_id is None:
            because = "The resource is not a referral of Partner Center."
    return Event(
        kind=Kind.IGNORED if because else kind,
        event_name=name,
        resource_name=resource_name,
        changed_at=changed_at,
        referral_id=referral_id,
        because=because,
    )


def _text(members: Mapping[str, Any], name: str, form: re.Pattern[str] | None = None) -> str:
    value = members.get(name.lower())
    if not isinstance(value, str) or not 0 < len(value) <= 2048 or (form and not form.fullmatch(value)):
        raise _malformed(name)
    return value


def _moment(text: str) -> datetime:
    """As aware UTC; digits below the microsecond are dropped, and a time without offset is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _malformed("ResourceChangeUtcDate") from None


def _referral_id(address: str, policy: TrustPolicy) -> UUID | None:
    """The GUID at the end of an address of Partner Center without query, user name, port tricks or dot segments."""
    match = _RESOURCE.fullmatch(address.lower()) if address.isascii() else None
    return UUID(match["id"]) if match and match["origin"] in policy.resource_origins else None


def _malformed(name: str) -> Rejected:
    return Rejected(
        "MALFORMED_EVENT",
        f"The event's {name} is missing or has not the documented form.",
        "Compare Partner Center's event format with docs/security-webhook.md; the sweep covers the change meanwhile.",
        status=400,
    )
