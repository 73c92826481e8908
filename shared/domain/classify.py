"""What kind of deal a referral is, and whether it belongs into the CRM and as what. Pure.

Sources: the combinations of type, qualification and inviting organisation on the referrals API introduction page, and
the documented meaning of "Sync co-sell opportunities only" (co-sell and partner-led deals only, this direction).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.domain.referral import MICROSOFT, Referral

Kind = Literal["private", "partner_led", "co_sell", "partner_to_partner", "lead", "marketplace_lead"]


@dataclass(frozen=True)
class InboundPolicy:
    """Which unlinked deals are taken from Partner Center."""

    co_sell_only: bool = False
    leads: bool = True
    private_deals: bool = True


def kind(referral: Referral, microsofts: Referral | None = None) -> Kind:
    """The kind of an own referral; `microsofts` is Microsoft's record of the same engagement, if there is one."""
    inviter = (referral.invite_context.invited_by.organization_id or "").lower()
    qualification = (referral.qualification or "").lower()
    independent = (referral.type or "").lower() == "independent"
    if independent and qualification == "direct" and inviter in ("", MICROSOFT):
        return "marketplace_lead"
    if independent and qualification in ("salesqualified", "marketingqualified") and inviter == MICROSOFT:
        return "lead"
    code = (referral.invite_context.assistance_request_code or "unknown").lower()
    if microsofts is not None or inviter == MICROSOFT or code != "unknown":
        return "co_sell"
    if inviter and inviter != (referral.organization_id or inviter).lower():
        return "partner_to_partner"
    return "partner_led" if referral.consent.consent_to_share_referral_with_microsoft_sellers else "private"


def is_lead(found: Kind) -> bool:
    return found in ("lead", "marketplace_lead")


def wanted(found: Kind, policy: InboundPolicy) -> bool:
    """Whether a deal that is not linked yet is taken into the CRM."""
    if is_lead(found):
        return policy.leads and not policy.co_sell_only
    if policy.co_sell_only:
        return found in ("co_sell", "partner_led")
    return found != "private" or policy.private_deals


def inbound(referral: Referral) -> bool:
    """Whether Microsoft or another partner sent the deal; `direction` is only believed when nothing else is known."""
    inviter = (referral.invite_context.invited_by.organization_id or "").lower()
    if inviter and referral.organization_id:
        return inviter != referral.organization_id.lower()
    if (referral.status or "").lower() == "new":
        return True
    return (referral.direction or "").lower() != "outgoing"
