"""Rules for people: the owner as our member of the partner's team, the contact as the customer's. Only the CRM's change
travels, so the two sides may differ for good; after Microsoft saw the deal, its customer contact stays as it is.
"""

from __future__ import annotations

from shared.domain import people
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Member, Referral
from shared.domain.rule import Rule
from shared.domain.state import Canonical
from shared.domain.terms import Terms


def _listed(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    found = reach(referral, row.referral)
    return people.marks(one for one in found or () if isinstance(one, Member))


def _owner(opportunity: Opportunity, _row: MappingRow, terms: Terms) -> Canonical:
    return people.mark(people.seller(opportunity, terms))


def _contact(opportunity: Opportunity, _row: MappingRow, terms: Terms) -> Canonical:
    """The deal's own contact: the account's, which may stand in for it at first, is nobody's choice for this deal."""
    if terms.consent == "require" and opportunity.row.values.get("cosell_consentconfirmed") is not True:
        return None
    return people.mark(people.customer_contact(opportunity.row.related("parentcontactid")))


def _with_ours(pc: Canonical, crm: Canonical, base: Canonical, _row: MappingRow, _terms: Terms) -> Canonical:
    return people.replaced(pc, crm, base)


def _shared_with_microsoft(referral: Referral, opportunity: Opportunity, _crm: Canonical) -> bool:
    visible = referral.consent.consent_to_share_referral_with_microsoft_sellers is True
    return visible or opportunity.microsoft_referral_id is not None


OWNER = Rule(_listed, _owner, sent=_with_ours, free_text=True, related=True, independent=True)
CONTACT = Rule(
    _listed,
    _contact,
    sent=_with_ours,
    refused=_shared_with_microsoft,
    free_text=True,
    related=True,
    independent=True,
)
