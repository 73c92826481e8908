"""Planted secrets and personal data: if one turns up where it must not, the run has failed (invariant I7)."""

from __future__ import annotations

import re

TOKEN = "eyJ0eXAiOiJKV1Qi.Y2FuYXJ5LXRva2Vu.c2lnbmF0dXJl"
NOTE = "zebra-7731"
"""Stands in every note a person writes."""
MAILBOX = "canary.person"
PHONE = "+47 555 07731"
_ALL = re.compile("|".join(map(re.escape, (TOKEN, NOTE, MAILBOX, PHONE))))


def found(text: str) -> str | None:
    """The first canary in a text."""
    match = _ALL.search(text)
    return match.group() if match else None
