"""Both sides of the sandbox at one moment: every deal of Partner Center and of Dynamics 365, and which belong together.

Reads only, as a seller and as a portal user would. What a deal is and when two agree stands in `sandbox.deals`; the
live page and the scenarios show what is read here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sandbox.clients import PartnerCenterPortal, Seller
from sandbox.deals import Compared, Deal, compare, from_dynamics_365, from_partner_center, is_microsofts

_OPPORTUNITY = (
    "opportunityid,name,description,estimatedvalue,estimatedclosedate,statecode,statuscode,_parentaccountid_value,"
    "_transactioncurrencyid_value,cosell_referralidentifier,cosell_engagementidentifier,cosell_microsoftstatus,"
    "cosell_microsoftcrmidentifier,cosell_audit,createdon"
)


@dataclass(frozen=True)
class Overview:
    """Newest deals first on both sides."""

    partner_center: list[Deal]
    dynamics_365: list[Deal]
    audit: dict[str, list[str]]
    """Opportunity id → lines of its Audit column, newest first."""

    def referral_of(self, opportunity_id: str) -> Deal | None:
        """The referral linked with an opportunity, by either side's knowledge."""
        own = self.opportunity(opportunity_id)
        known = own.other_id if own else ""
        linked = (deal for deal in self.partner_center if deal.id == known or deal.other_id == opportunity_id)
        return next(linked, None)

    def opportunity(self, opportunity_id: str) -> Deal | None:
        return next((deal for deal in self.dynamics_365 if deal.id == opportunity_id), None)

    def opportunity_of(self, referral_id: str) -> Deal | None:
        """The opportunity linked with a referral."""
        linked = (deal for deal in self.dynamics_365 if deal.other_id == referral_id)
        return next(linked, None)

    def comparison(self, opportunity_id: str) -> list[Compared]:
        """Both sides field by field; LookupError when one of them is missing."""
        opportunity, referral = self.opportunity(opportunity_id), self.referral_of(opportunity_id)
        if opportunity is None or referral is None:
            raise LookupError(f"The opportunity {opportunity_id} has no counterpart on the other side.")
        return compare(referral, opportunity)


def read_overview(seller: Seller, portal: PartnerCenterPortal) -> Overview:
    """`Refused` or a connection error when a side does not answer."""
    rows = seller.find("opportunities", select=_OPPORTUNITY, orderby="createdon desc")
    return Overview(
        partner_center=read_partner_center(portal),
        dynamics_365=_dynamics_365(seller, rows),
        audit={row["opportunityid"]: (row.get("cosell_audit") or "").splitlines() for row in rows},
    )


def read_partner_center(portal: PartnerCenterPortal) -> list[Deal]:
    """The partner's own referrals; Microsoft's are shown as part of them."""
    referrals = portal.referrals()
    engagements: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for referral in referrals:
        engagements[referral.get("engagementId") or ""].append(referral)
    own = [referral for referral in referrals if not is_microsofts(referral)]
    own.sort(key=lambda referral: str(referral.get("createdDateTime")), reverse=True)
    return [from_partner_center(referral, engagements[referral.get("engagementId") or ""]) for referral in own]


def _dynamics_365(seller: Seller, rows: list[dict[str, Any]]) -> list[Deal]:
    customers = _names(seller, "accounts", "accountid", "name")
    currencies = _names(seller, "transactioncurrencies", "transactioncurrencyid", "isocurrencycode")
    solutions: dict[str, list[str]] = defaultdict(list)
    for row in seller.find("cosell_microsoftsolutions", select="cosell_solutionid,_cosell_opportunityid_value"):
        solutions[row["_cosell_opportunityid_value"]].append(row["cosell_solutionid"])
    return [
        from_dynamics_365(
            row,
            customer=customers.get(row["_parentaccountid_value"], ""),
            currency=currencies.get(row["_transactioncurrencyid_value"], ""),
            solutions=solutions[row["opportunityid"]],
        )
        for row in rows
    ]


def _names(seller: Seller, table: str, key: str, name: str) -> dict[str, str]:
    return {row[key]: row[name] or "" for row in seller.find(table, select=f"{key},{name}")}
