"""What colleagues do in Partner Center's portal, and Microsoft's sellers in theirs. Values are unique here too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.chaos import canaries
from tests.chaos.deeds_in_crm import CrmDeeds, from_here, solution
from tests.fakes.partner_center import OWN_ORGANIZATION
from tests.fakes.referral_rules import MICROSOFT, Document

if TYPE_CHECKING:
    from tests.chaos.people import Step


class PartnerCenterDeeds(CrmDeeds):
    """A colleague with the portal, and Microsoft."""

    # whom -----------------------------------------------------------------------------------------------------------
    def _referral(self, step: Step, *statuses: str, organization: str = OWN_ORGANIZATION) -> Document | None:
        """A referral in one of these statuses; documents keep the order of their creation."""
        for document in from_here(list(self.center.documents.values()), step):
            if document["organizationId"] == organization and document["status"] in statuses:
                return document
        return None

    def _edit(self, document: Document | None, **values: Any) -> bool:
        if document is None:
            return False
        self.center.edit_in_portal(document["id"], **values)
        return True

    # the portal -----------------------------------------------------------------------------------------------------
    def portal_deal(self, step: Step) -> bool:
        self.center.create(self._body(step))
        return True

    def portal_deal_for_opportunity(self, step: Step) -> bool:
        """A deal that names an opportunity which is not synchronised yet."""
        row = self._pick(step, synced=False)
        if (
            row is None
            or row.get("cosell_referralidentifier")
            or row.get("originatingleadid")
            or row["opportunityid"] in self._named()
        ):
            return False
        self.center.create({**self._body(step), "externalReferenceId": row["opportunityid"]})
        return True

    def _named(self) -> set[str]:
        return {str(document.get("externalReferenceId")) for document in self.center.documents.values()}

    def portal_value(self, step: Step) -> bool:
        return self._edit(self._referral(step, "New", "Active"), details__dealValue=self.portal_amount(step))

    def portal_date(self, step: Step) -> bool:
        return self._edit(self._referral(step, "New", "Active"), details__closingDateTime=self.portal_day(step))

    def portal_notes(self, step: Step) -> bool:
        return self._edit(self._referral(step, "New", "Active"), details__notes=self.portal_text(step))

    def portal_stage(self, step: Step) -> bool:
        word = ("Qualify", "Develop", "Propose", "Close")[step.whom % 4]
        return self._edit(self._referral(step, "Active"), salesStage=word)

    def portal_solutions(self, step: Step) -> bool:
        tags = [{"id": solution(step.number), "name": f"Solution {step.number}", "type": "Name"}]
        return self._edit(self._referral(step, "Active"), details__requirements__solutions=tags)

    def portal_accept(self, step: Step) -> bool:
        return self._edit(self._referral(step, "New"), status="Active", substatus="Accepted")

    def portal_decline(self, step: Step) -> bool:
        return self._edit(self._referral(step, "New"), status="Closed", substatus="Declined")

    def portal_win(self, step: Step) -> bool:
        return self._edit(self._referral(step, "Active"), status="Closed", substatus="Won")

    def portal_lose(self, step: Step) -> bool:
        return self._edit(self._referral(step, "Active"), status="Closed", substatus="Lost")

    # Microsoft ------------------------------------------------------------------------------------------------------
    def invite(self, step: Step) -> bool:
        self.center.invite(self._body(step))
        return True

    def invite_lead(self, step: Step) -> bool:
        self.center.invite(self._body(step), lead=True)
        return True

    def microsoft_accepts(self, step: Step) -> bool:
        document = self._referral(step, "New", organization="msft")
        if document is None or self._asked_twice(document):
            return False
        self.center.microsoft(document["engagementId"], "Accepted", msx_id=f"7-{step.number}")
        return True

    def microsoft_declines(self, step: Step) -> bool:
        return self._microsoft_closes(step, "New", "Declined")

    def microsoft_closes(self, step: Step) -> bool:
        return self._microsoft_closes(step, "Active", ("Won", "Lost")[step.whom % 2])

    def _microsoft_closes(self, step: Step, status: str, substatus: str) -> bool:
        document = self._referral(step, status, organization="msft")
        if document is None or self._asked_twice(document):
            return False
        self.center.microsoft(document["engagementId"], substatus)
        return True

    def _asked_twice(self, document: Document) -> bool:
        """Microsoft declined and was asked again: its deeds here are for engagements with one record of its own."""
        engagement = document["engagementId"]
        theirs = (d for d in self.center.documents.values() if d["organizationId"] == MICROSOFT)
        return sum(d["engagementId"] == engagement for d in theirs) > 1

    def expire(self, step: Step) -> bool:
        document = self._referral(step, "New")
        if document is None:
            return False
        self.center.expire(document["id"])
        return True

    # values ---------------------------------------------------------------------------------------------------------
    @staticmethod
    def portal_amount(step: Step) -> Decimal:
        return Decimal(10_000 + step.number) + Decimal("0.22")

    @staticmethod
    def portal_day(step: Step) -> datetime:
        return datetime(2027, 1, 2, tzinfo=UTC) + timedelta(days=2 * step.number)

    @staticmethod
    def portal_text(step: Step) -> str:
        return f"portal's text {step.number} {canaries.NOTE}"

    def _body(self, step: Step) -> Document:
        person = {
            "firstName": "Ingrid",
            "lastName": "Solberg",
            "email": f"{canaries.MAILBOX}.{step.number}@customer.example",
            "phoneNumber": canaries.PHONE,
        }
        return {
            "name": f"Deal {step.number}",
            "type": "Shared",
            "qualification": "SalesQualified",
            "target": [{"type": "SolutionProfile", "id": solution(step.number)}],
            "customerProfile": {
                "name": f"Customer {step.number}",
                "address": {
                    "addressLine1": "Havnegata 12",
                    "city": "Bergen",
                    "postalCode": f"{step.number:05}",
                    "country": "NO",
                },
                "team": [person],
                "ids": [],
            },
            "consent": {
                "consentToContact": True,
                "consentToToShareInfoWithOthers": True,
                "consentToShareReferralWithMicrosoftSellers": step.whom % 2 == 0,
            },
            "details": {
                "notes": self.portal_text(step),
                "dealValue": self.portal_amount(step),
                "currency": ("USD", "EUR", "NOK")[step.whom % 3],
                "closingDateTime": self.portal_day(step),
                "requirements": {
                    "solutions": [{"id": solution(step.number), "name": f"Solution {step.number}", "type": "Name"}]
                },
            },
            "team": [
                {
                    "firstName": "Sofie",
                    "lastName": "Seller",
                    "email": "sofie.seller@fjordvik.example",
                    "phoneNumber": "+47 90 00 11 22",
                }
            ],
        }
