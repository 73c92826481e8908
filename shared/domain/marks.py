"""✔ and ✖ before an opportunity's name: set, taken off, never sent to Partner Center.

At most one mark, as a prefix with one space; stripping takes off every mark a person or an older version may have left.
"""

from __future__ import annotations

from shared.domain import texts

OK, FAILED = "✔", "✖"
_MARKS = f"{OK}{FAILED}✅❌️"
ROOM = 298
"""Dataverse holds 300 UTF-16 units in the name; the mark and its space take two."""


def strip(name: str | None) -> str:
    """The name without marks and outer white space, inner white space collapsed."""
    text = " ".join(texts.whole_characters(name or "").split())
    return " ".join(text.strip(_MARKS + " ").split())


def marked(name: str | None, ok: bool, shown: bool) -> str:
    """The name as it should stand in the CRM."""
    bare = strip(name)
    return f"{OK if ok else FAILED} {texts.cut(bare, ROOM)}" if shown else bare
