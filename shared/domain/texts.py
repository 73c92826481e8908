"""Text as both systems hold it: line ends, white space, and lengths counted the way Dataverse counts (UTF-16 units)."""

from __future__ import annotations

import re

CONTINUED = "… [continued in a note]"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
"""All but tab and line feed."""
_HALF = re.compile("[\ud800-\udfff]")
"""A surrogate, alone or beside its other half."""


def units(text: str) -> int:
    """Length in UTF-16 code units; an emoji counts two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole_characters(text: str) -> str:
    """The text with each lone surrogate, which JSON can carry but UTF-8 cannot, replaced by the replacement sign."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def normal(text: str) -> str:
    """One form for comparing: LF line ends, no control characters, no half characters, no white space at the end."""
    text = whole_characters(text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).rstrip()


def one_line(text: str) -> str:
    return " ".join(text.split())


def cut(text: str, limit: int, marker: str = "") -> str:
    """At most `limit` units; cut at a word's end where one is near, with `marker` behind."""
    if units(text) <= limit:
        return text
    if units(marker) >= limit:
        marker = ""
    room = limit - units(marker) - (1 if marker else 0)
    kept = text[:room]
    while units(kept) > room:
        kept = kept[:-1]
    space = kept.rfind(" ")
    if space > len(kept) - 40 and space > 0:
        kept = kept[:space]
    return f"{kept.rstrip()} {marker}" if marker else kept.rstrip()


def appended(whole: str, held: str, edited: str) -> str:
    """`whole` with what was added to its shortened form `held`; the entire `edited` text when its beginning changed."""
    start = held.removesuffix(CONTINUED).rstrip()
    added = edited.removeprefix(start).replace(CONTINUED, "").strip()
    for length in range(len(added), 0, -1):  # an earlier addition is there already
        if whole.endswith("\n\n" + added[:length]) and not added[length : length + 1].strip():
            added = added[length:].strip()
            break
    return f"{whole}\n\n{added}" if added else whole
