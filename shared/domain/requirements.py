"""What a deal asks for besides its solutions, as a note that a seller can read; made once, when the deal arrives. Pure.

Most of it has no column: industries, products, services, offers, sales plays, what the customer expects, and what the
sender wrote to us. Properties that a row of the mapping brings into a column are left out.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from shared.domain import classify, texts
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.rule import text_of
from shared.domain.terms import Terms

SUBJECT = "Deal requirements"
_LONGEST = 20_000
_LISTS = {
    "Industries": "details.requirements.industries",
    "Products": "details.requirements.products",
    "Services": "details.requirements.services",
    "Offers": "details.requirements.offers",
    "Sales plays": "details.requirements.salesPlays",
}
_TEXTS = {"Customer action": "details.customerAction", "Incentive level": "details.incentiveLevel"}
_ATTRIBUTES = "details.requirements.additionalRequirements.attributes"


def note(referral: Referral, terms: Terms) -> str | None:
    """The note's text; None when there is nothing to say."""
    lines = [f"{title}: {', '.join(found)}" for title, path in _LISTS.items() if (found := _names(referral, path))]
    mapped = {row.referral.lower() for row in terms.mapping.opportunity}
    lines += [
        f"{attribute.type}: {attribute.id}"
        for attribute in referral.details.requirements.additional_requirements.attributes
        if attribute.type and attribute.id and f"{_ATTRIBUTES}[{attribute.type}]".lower() not in mapped
    ]
    lines += [f"{title}: {text}" for title, path in _TEXTS.items() if (text := text_of(reach(referral, path)))]
    if classify.inbound(referral) and (said := text_of(referral.invite_context.notes)):
        sender = referral.invite_context.invited_by.organization_name or "the sender"
        lines.append(f"Note from {sender}: {said}")
    return texts.cut("\n".join(lines), _LONGEST) or None


def _names(referral: Referral, path: str) -> list[str]:
    found = reach(referral, path)
    return [name for item in found if (name := _name(item))] if isinstance(found, list) else []


def _name(item: Any) -> str | None:
    """Entries are objects with name or id; plain words occur."""
    if isinstance(item, dict | BaseModel):
        return text_of(reach(item, "name")) or text_of(reach(item, "id"))
    return text_of(item)
