"""The two stories the connector exists for, played by the people of the sandbox and told step by step.

`share_with_microsoft`: a seller asks Microsoft for help from the CRM. `receive_from_microsoft`: Microsoft sends a deal.
Each returns the opportunity's id; `verdict` then compares both sides. A step that is not seen in time raises `NotSeen`.
Nothing here calls the connector: what arrives on the other side was carried there by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.clients import ACCOUNT, HELP_PROOF_OF_CONCEPT, PartnerCenterPortal, Seller
from sandbox.deals import Deal
from sandbox.overview import Overview, read_overview

PARTNER_CENTER, DYNAMICS_365 = "Partner Center", "Dynamics 365"
_POLL_S = 0.1


class NotSeen(Exception):
    """A change did not arrive on the other side in time."""


@dataclass
class Stage:
    """Who plays, and how the story is told: `tell(mark, side, sentence, seconds)` for each step as it happens."""

    seller: Seller
    portal: PartnerCenterPortal
    tell: Callable[[str, str, str, float], None]
    patience_s: float = 30.0
    _begun: float = field(default_factory=time.monotonic)

    def does(self, side: str, sentence: str) -> None:
        """Tell what a person does now."""
        self.tell("▸", side, sentence, time.monotonic() - self._begun)

    def sees(self, side: str, sentence: str, look: Callable[[Overview], Deal | None]) -> Deal:
        """Wait until `look` finds the deal as it should be, else `NotSeen`; `sentence` may name the deal's fields."""
        give_up_at = time.monotonic() + self.patience_s
        while True:
            deal = look(read_overview(self.seller, self.portal))
            if deal is not None:
                self.tell("✔", side, sentence.format(deal=deal), time.monotonic() - self._begun)
                return deal
            if time.monotonic() > give_up_at:
                self.tell(
                    "✖", side, "not seen: " + sentence.partition("{")[0].rstrip(": "), time.monotonic() - self._begun
                )
                raise NotSeen(f"{side} did not show it within {self.patience_s:.0f} s.")
            time.sleep(_POLL_S)


def share_with_microsoft(stage: Stage) -> str:
    """A seller shares an opportunity with Microsoft, who accepts; then the seller changes it."""
    seller, name = stage.seller, "Contoso warehouse analytics"
    close, later = _day(60), _day(95)
    stage.does(DYNAMICS_365, f'A seller creates the opportunity "{name}" for {ACCOUNT["name"]}: 50,000 USD by {close}')
    account = seller.account()
    opportunity = seller.opportunity(
        account,
        seller.contact(account),
        name=name,
        estimatedclosedate=close,
        cosell_howcanmicrosofthelp=HELP_PROOF_OF_CONCEPT,
    )
    stage.does(DYNAMICS_365, "… asks Microsoft for help with a proof of concept, and adds the solution to be sold")
    seller.solution(opportunity)

    own = stage.sees(
        PARTNER_CENTER, "The deal is there: {deal.status}, {deal.value}", lambda seen: seen.referral_of(opportunity)
    )
    stage.sees(
        PARTNER_CENTER,
        "Microsoft is invited: {deal.microsoft}",
        lambda seen: _with(seen.referral_of(opportunity), lambda deal: bool(deal.microsoft)),
    )
    stage.sees(
        DYNAMICS_365,
        "The opportunity carries its Referral Identifier {deal.other_id}",
        lambda seen: _with(seen.opportunity(opportunity), lambda deal: bool(deal.other_id)),
    )

    stage.does(PARTNER_CENTER, "Microsoft's seller accepts")
    stage.portal.microsoft(own.engagement, "accept")
    stage.sees(
        DYNAMICS_365,
        "The opportunity shows the Microsoft CRM Identifier {deal.microsoft_crm_id}",
        lambda seen: _with(seen.opportunity(opportunity), lambda deal: bool(deal.microsoft_crm_id)),
    )

    stage.does(DYNAMICS_365, f"The seller raises the value to 65,000 USD and moves the closing date to {later}")
    seller.update("opportunities", opportunity, estimatedvalue=65000, estimatedclosedate=later)
    stage.sees(
        PARTNER_CENTER,
        "The deal shows {deal.value} by {deal.closing_date}",
        lambda seen: _with(seen.referral_of(opportunity), _worth("65000.00 USD", later)),
    )
    return opportunity


def receive_from_microsoft(stage: Stage) -> str:
    """Microsoft sends a deal, the seller accepts it; then a user of the portal changes it."""
    close, later = _day(45), _day(80)
    stage.does(PARTNER_CENTER, f"Microsoft sends a deal: Fabrikam, 80,000 USD by {close}")
    sent = stage.portal.inbound(
        name="Fabrikam cold-chain rollout",
        customerProfile={"name": "Fabrikam", "address": FABRIKAM_ADDRESS, "team": [FABRIKAM_CONTACT]},
        details={"dealValue": 80000, "currency": "USD", "closingDateTime": f"{close}T00:00:00Z", "notes": "Two sites."},
    )
    referral = str(sent["id"])
    opportunity = stage.sees(
        DYNAMICS_365,
        "An opportunity is there and waits for an answer: {deal.status}, {deal.value}",
        lambda seen: _with(seen.opportunity_of(referral), lambda deal: deal.state == "waiting"),
    ).id

    stage.does(DYNAMICS_365, "The seller accepts: status reason In Progress")
    stage.seller.update("opportunities", opportunity, statuscode=1)
    stage.sees(
        PARTNER_CENTER,
        "The deal is accepted: {deal.status}",
        lambda seen: _with(seen.referral_of(opportunity), lambda deal: deal.status == "Active / Accepted"),
    )

    stage.does(PARTNER_CENTER, f"A user of the portal changes the value to 92,500 USD and the closing date to {later}")
    stage.portal.edit(referral, {"details": {"dealValue": 92500, "closingDateTime": f"{later}T00:00:00Z"}})
    stage.sees(
        DYNAMICS_365,
        "The opportunity shows {deal.value} by {deal.closing_date}",
        lambda seen: _with(seen.opportunity_of(referral), _worth("92500.00 USD", later)),
    )
    return opportunity


FABRIKAM_ADDRESS = {
    "addressLine1": "12 Harbour Road",
    "city": "Portland",
    "state": "OR",
    "postalCode": "97201",
    "country": "US",
}
FABRIKAM_CONTACT = {
    "firstName": "Kim",
    "lastName": "Berg",
    "email": "kim.berg@fabrikam.example",
    "phoneNumber": "+1 503 555 0142",
}
STORIES = {
    "A seller shares an opportunity with Microsoft": share_with_microsoft,
    "Microsoft sends a deal": receive_from_microsoft,
}


def _with(deal: Deal | None, condition: Callable[[Deal], bool]) -> Deal | None:
    return deal if deal is not None and condition(deal) else None


def _worth(value: str, closing_date: str) -> Callable[[Deal], bool]:
    return lambda deal: deal.value == value and deal.closing_date == closing_date


def _day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()
