"""The rules of the mapping table: how each kind of value is read on both sides, compared and written.

A rule turns both sides' values into one canonical form (`shared.domain.state.Canonical`), so that "did it change" is a
plain comparison: money as text at the currency's precision, dates as the UTC day, choices as Partner Center's word.
Rules never decide who wins; `shared.domain.plan` does.
"""

from __future__ import annotations

from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity, solution_id
from shared.domain.paths import reach
from shared.domain.referral import Referral, Solution
from shared.domain.rule import Rule
from shared.domain.rules_choices import CHOICE, HELP, STAGE, VISIBILITY
from shared.domain.rules_numbers import CURRENCY, DATE, MOMENT, MONEY, SIZE
from shared.domain.rules_people import CONTACT, OWNER
from shared.domain.rules_text import COUNTRY, NAME, NOTES, TEXT
from shared.domain.state import Canonical
from shared.domain.terms import Terms


def _solutions_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    found = reach(referral, row.referral)
    ids = {solution_id(item.id) for item in found or () if isinstance(item, Solution)}
    return tuple(sorted(ids - {""})) or None


def _solutions_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return tuple(sorted(opportunity.solutions)) or None


def _nothing(_referral: Referral, _row: MappingRow, _terms: Terms) -> Canonical:
    """Partner Center's customer is compared by account matching when the deal arrives, never afterwards."""
    return None


def _customer_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return opportunity.account_id


RULES: dict[str, Rule] = {
    "text": TEXT,
    "name": NAME,
    "notes": NOTES,
    "money": MONEY,
    "currency": CURRENCY,
    "date": DATE,
    "moment": MOMENT,
    "stage": STAGE,
    "solutions": Rule(_solutions_from_referral, _solutions_from_opportunity, related=True),
    "visibility": VISIBILITY,
    "help": HELP,
    "customer": Rule(_nothing, _customer_from_opportunity, related=True),
    "owner": OWNER,
    "contact": CONTACT,
    "choice": CHOICE,
    "country": COUNTRY,
    "size": SIZE,
}
