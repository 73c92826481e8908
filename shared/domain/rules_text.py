"""Rules for text: plain text, the deal's name, notes, the country. Lengths count as Dataverse counts them.

Notes are compared and sent as text whatever markup they carry, so that nobody's markup alone is a change.
"""

from __future__ import annotations

from shared.domain import countries, marks, markup, texts
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.rule import Rule, text_from_opportunity, text_from_referral, text_of
from shared.domain.state import Canonical
from shared.domain.terms import Terms


def _limit(row: MappingRow, terms: Terms) -> int | None:
    return row.max or terms.limits.get(row.column)


def _cut(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    limit = _limit(row, terms)
    return texts.cut(value, limit) if isinstance(value, str) and limit else value


def _cut_notes(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    limit = _limit(row, terms)
    return texts.cut(value, limit, texts.CONTINUED) if isinstance(value, str) and limit else value


def _cut_name(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    """Room for the mark is always left, so that setting it does not look like a new name."""
    return texts.cut(value, min(_limit(row, terms) or marks.ROOM, marks.ROOM)) if isinstance(value, str) else value


def _notes_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    return _plain(text_from_referral(referral, row, terms))


def _notes_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return _plain(text_from_opportunity(opportunity, row, terms))


def _plain(value: Canonical) -> Canonical:
    return markup.to_text(value) or None if isinstance(value, str) else value


def _sent_notes(pc: Canonical, crm: Canonical, _base: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    """A text the CRM could only hold in part is added to, never shortened."""
    held = _cut_notes(pc, row, terms)
    return texts.appended(str(pc), str(held), crm) if held != pc and isinstance(crm, str) else crm


def _name_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return _cut_name(opportunity.name, row, terms) or None


def _name_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    name = texts.one_line(text_of(reach(referral, row.referral)) or "")
    if name or row.referral != "name":
        return name or None
    solutions = referral.details.requirements.solutions
    parts = (referral.customer_profile.name, solutions[0].name if solutions else None)
    return texts.one_line(" – ".join(part for part in parts if part)) or "Partner Center deal"


def _country_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    return countries.as_read(text_of(reach(referral, row.referral)), terms) or None


TEXT = Rule(text_from_referral, text_from_opportunity, as_crm=_cut, blank_to_pc=True, free_text=True)
NAME = Rule(_name_from_referral, _name_from_opportunity, as_crm=_cut_name)
NOTES = Rule(
    _notes_from_referral,
    _notes_from_opportunity,
    as_crm=_cut_notes,
    sent=_sent_notes,
    blank_to_crm=True,
    blank_to_pc=True,
    free_text=True,
)
COUNTRY = Rule(_country_from_referral, text_from_opportunity)
