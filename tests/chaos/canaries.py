"""Planted secrets and personal data: if one turns up where it must not, the run has failed (invariant I7)."""

from __future__ import annotations

TOKEN = "eyJ0eXAiOiJKV1Qi.Y2FuYXJ5LXRva2Vu.c2lnbmF0dXJl"
NOTE = "zebra-7731"
"""Stands in every note a person writes."""
MAILBOX = "canary.person"
PHONE = "+47 555 07731"
_ALL = (TOKEN, NOTE, MAILBOX, PHONE)


def found(text: str) -> str | None:
    """A canary in a text; thousands of texts hold none."""
    for canary in _ALL:
        if canary in text:
            return canary
    return None
