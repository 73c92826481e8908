"""Times and version tags in the form the service writes them.

Times have up to seven fractional digits with trailing zeros dropped. A tag is Cosmos DB's: a counter, then the second
of the write in hexadecimal, quotes included, so that two writes in one second differ.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def stamp(moment: datetime) -> str:
    """ISO 8601 with `Z`. The clock has no seventh digit, so one is derived from the others."""
    digits = f"{moment.microsecond:06d}{moment.microsecond * 7 % 10}".rstrip("0")
    whole = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"


def moment(text: str) -> datetime:
    """Aware UTC; ValueError when it is no time. A time without an offset is UTC."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)


def etag(counter: int, written_at: datetime) -> str:
    return f'"{counter:08x}-0000-0d00-0000-{int(written_at.timestamp()):08x}0000"'


def expiry(arrived_at: datetime) -> datetime:
    """An unanswered referral expires at midnight fourteen days on."""
    return (arrived_at + timedelta(days=14)).replace(hour=0, minute=0, second=0, microsecond=0)


def portal_midnight(text: str, utc_offset_h: float) -> str:
    """A calendar day picked in the portal, as the portal stores it; other texts unchanged."""
    if len(text) != len("2026-06-30"):
        return text
    return stamp(datetime.fromisoformat(text).replace(tzinfo=UTC) - timedelta(hours=utc_offset_h))
