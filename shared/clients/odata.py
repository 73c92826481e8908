"""The one place that puts text into URLs: literals, query options and path segments of either vendor's OData dialect.

Quotes are doubled, then every character is percent-encoded, so any Unicode is data and never syntax; a lone surrogate,
which no URL can carry, becomes a question mark. Links in answers lose their host here. Pure. Names and types of columns
are the business of `dataverse_query`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit


def literal(text: str) -> str:
    """A string literal, not yet encoded: `'O''Brien'`."""
    return "'" + text.replace("'", "''") + "'"


def query(options: Mapping[str, str]) -> str:
    """`?$select=…&$filter=…`, percent-encoded; "" without options."""
    encoded = "&".join(f"${name}={_encoded(value)}" for name, value in options.items())
    return f"?{encoded}" if encoded else ""


def segment(text: str) -> str:
    """One segment of a path; `ValueError` for those that are empty or mean another place, as `..` does."""
    if not text.strip("."):
        raise ValueError("not a segment of a path")
    return _encoded(text)


def query_of(link: object) -> str:
    """What a next link asks for, encoded as it came, without the host it names; `ValueError` when it asks nothing."""
    asked = urlsplit(str(link)).query
    if not asked:
        raise ValueError("not a link to another page")
    return asked


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")
