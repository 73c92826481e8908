"""What a person can do on the page, each as the system it happens in would take it from that person.

Inputs are checked here, once, and every problem is one sentence. Creating or changing a deal on one side touches that
side only; see `sandbox.clients` for the people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sandbox.clients import (
    ACCOUNT,
    HELP_PROOF_OF_CONCEPT,
    SOLUTION_ID,
    MicrosoftAction,
    PartnerCenterPortal,
    Seller,
)
from sandbox.layout import Layout

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Amount = Annotated[Decimal, Field(gt=0, le=1_000_000_000, decimal_places=2)]
Side = Literal["partner-center", "dynamics-365"]


class Change(BaseModel):
    """A changed deal; only what is given is changed."""

    model_config = ConfigDict(extra="forbid")

    value: Amount | None = None
    closing_date: date | None = None
    notes: Annotated[str, StringConstraints(max_length=2000)] | None = None
    status: Literal["open", "waiting", "won", "lost"] | None = None


class NewDeal(BaseModel):
    """A new deal on one side. `microsoft`: asked for help (Dynamics 365) or sent by Microsoft (Partner Center)."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    customer: Name
    value: Amount
    closing_date: date
    notes: Annotated[str, StringConstraints(max_length=2000)] = ""
    microsoft: bool = False


class Actions:
    """All of them; `Refused` with the simulator's own words when it says no."""

    def __init__(self, layout: Layout) -> None:
        self._seller = Seller(layout)
        self._portal = PartnerCenterPortal(layout)

    def create(self, side: Side, deal: NewDeal) -> None:
        """A deal with a customer that stands nowhere yet, or is matched by its name."""
        (self._create_opportunity if side == "dynamics-365" else self._create_referral)(deal)

    def change(self, side: Side, deal_id: str, change: Change) -> None:
        (self._change_opportunity if side == "dynamics-365" else self._change_referral)(deal_id, change)

    def answer(self, deal_id: str, accepted: bool) -> None:
        """The seller accepts or declines an inbound deal in Dynamics 365: In Progress, or closed as lost."""
        if accepted:
            self._seller.update("opportunities", deal_id, statuscode=1)
        else:
            self._seller.lose(deal_id, subject="Declined by the seller")

    def microsoft(self, engagement_id: str, action: MicrosoftAction) -> None:
        """Microsoft's seller answers a request for help."""
        self._portal.microsoft(engagement_id, action)

    def _create_opportunity(self, deal: NewDeal) -> None:
        quoted = deal.customer.replace("'", "''")
        known = self._seller.find("accounts", select="accountid", filter=f"name eq '{quoted}'")
        account = str(known[0]["accountid"]) if known else self._seller.account(name=deal.customer)
        contact = self._seller.contact(account)
        help_option = {"cosell_howcanmicrosofthelp": HELP_PROOF_OF_CONCEPT} if deal.microsoft else {}
        opportunity = self._seller.opportunity(
            account,
            contact,
            name=deal.name,
            estimatedvalue=float(deal.value),
            estimatedclosedate=deal.closing_date.isoformat(),
            description=deal.notes,
            **help_option,
        )
        self._seller.solution(opportunity)

    def _create_referral(self, deal: NewDeal) -> None:
        address = {
            "addressLine1": ACCOUNT["address1_line1"],
            "city": ACCOUNT["address1_city"],
            "state": ACCOUNT["address1_stateorprovince"],
            "postalCode": ACCOUNT["address1_postalcode"],
            "country": ACCOUNT["address1_country"],
        }
        send: Callable[..., Any] = self._portal.inbound if deal.microsoft else self._portal.create
        send(
            name=deal.name,
            customerProfile={"name": deal.customer, "address": address},
            details={
                "dealValue": float(deal.value),
                "currency": "USD",
                "closingDateTime": f"{deal.closing_date.isoformat()}T00:00:00Z",
                "notes": deal.notes,
                "requirements": {"solutions": [{"id": SOLUTION_ID, "name": "Warehouse Insight", "type": "Name"}]},
            },
        )

    def _change_opportunity(self, deal_id: str, change: Change) -> None:
        columns: dict[str, Any] = {}
        if change.value is not None:
            columns["estimatedvalue"] = float(change.value)
        if change.closing_date is not None:
            columns["estimatedclosedate"] = change.closing_date.isoformat()
        if change.notes is not None:
            columns["description"] = change.notes
        if change.status in ("open", "waiting"):
            columns["statuscode"] = 1 if change.status == "open" else 2
        if columns:
            self._seller.update("opportunities", deal_id, **columns)
        if change.status == "won":
            self._seller.win(deal_id)
        elif change.status == "lost":
            self._seller.lose(deal_id)

    def _change_referral(self, deal_id: str, change: Change) -> None:
        details: dict[str, Any] = {}
        if change.value is not None:
            details["dealValue"] = float(change.value)
        if change.closing_date is not None:
            details["closingDateTime"] = f"{change.closing_date.isoformat()}T00:00:00Z"
        if change.notes is not None:
            details["notes"] = change.notes
        status = {
            "open": {"status": "Active", "substatus": "Accepted"},
            "won": {"status": "Closed", "substatus": "Won"},
            "lost": {"status": "Closed", "substatus": "Lost"},
        }.get(change.status or "", {})
        self._portal.edit(deal_id, {**({"details": details} if details else {}), **status})
