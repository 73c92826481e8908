"""Text as both systems hold it: line ends, white space, and lengths counted the way Dataverse counts (UTF-16 units)."""

from __future__ import annotations

CONTINUED = "… [continued in a note]"


def units(text: str) -> int:
    """Length in UTF-16 code units; an emoji counts two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def normal(text: str) -> str:
    """One form for comparing: LF line ends, no control characters, no white space at the end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32).rstrip()


def one_line(text: str) -> str:
    return " ".join(text.split())


def cut(text: str, limit: int, marker: str = "") -> str:
    """At most `limit` units; cut at a word's end where one is near, with `marker` behind."""
    if units(text) <= limit:
        return text
    room = limit - units(marker) - (1 if marker else 0)
    kept = text[:room]
    while units(kept) > room:
        kept = kept[:-1]
    space = kept.rfind(" ")
    if space > len(kept) - 40 and space > 0:
        kept = kept[:space]
    return f"{kept.rstrip()} {marker}" if marker else kept.rstrip()
