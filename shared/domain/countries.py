"""Which country a text means: its two-letter ISO code, which is all that Partner Center takes. Pure.

Names and three-letter codes come from the value map of the mapping. They are only suggested to the seller, unless
`COUNTRY_LENIENT` says that a clear meaning is enough; what is sent, matched and written then follows one reading.
"""

from __future__ import annotations

from shared.domain.terms import Terms


def code(text: str | None, terms: Terms) -> str | None:
    """The code a text stands for on these terms; None when it stands for none."""
    if not text:
        return None
    bare = text.strip()
    if bare.upper() in terms.mapping.countries:
        return bare.upper()
    return suggestion(bare, terms) if terms.country_lenient else None


def as_read(text: str | None, terms: Terms) -> str:
    """The code, or what else stands there in capitals: what nobody can read is compared and kept as it is."""
    return code(text, terms) or (text or "").strip().upper()


def suggestion(text: str, terms: Terms) -> str | None:
    """The two-letter code a country's name or three letters stand for."""
    wanted = text.strip().casefold()
    if wanted == "uk":
        return "GB"
    names = terms.mapping.countries.items()
    return next((code for code, known in names if wanted in (name.casefold() for name in known)), None)
