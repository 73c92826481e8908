"""The audit trail on the opportunity: one line per effective operation, newest first, never personal data.

Values are shown as `old>new`; free text and anything long as its length and a short hash, so that no e-mail address
and no word of a note reaches the audit column. The column is trimmed from the old end and says so.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

LIMIT = 90_000
"""Characters kept; the column holds 100,000."""
_REST = "… older entries in the log"
_SHOWN = 80


def line(at: datetime, direction: str, operation: str, ok: bool, text: str, run: str, referral_id: str | None) -> str:
    """One line; `direction` is `CRM>PC` or `PC>CRM`, `run` the correlation id."""
    parts = [at.strftime("%Y-%m-%dT%H:%M:%SZ"), direction, operation, "OK" if ok else "FAILED", text, f"run {run[:8]}"]
    if referral_id:
        parts.append(f"ref {referral_id[:8]}")
    return " | ".join(" ".join(part.split()) for part in parts if part)


def prepend(audit: str | None, lines: list[str]) -> str:
    """The audit column's new text."""
    text = "\n".join([*lines, *(audit or "").splitlines()])
    if len(text) <= LIMIT:
        return text
    kept = text[: LIMIT - len(_REST) - 1].rsplit("\n", 1)[0]
    return f"{kept}\n{_REST}"


def shown(value: object, *, free_text: bool = False) -> str:
    """A value as the audit may show it."""
    if value is None or value == "" or value == ():
        return "(empty)"
    text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    if free_text or len(text) > _SHOWN or "@" in text:
        return f"({len(text)} characters, {hashlib.sha256(text.encode()).hexdigest()[:8]})"
    return text
