"""Contract-valid referrals from a seeded generator: every member, every enum word, missing and null where that occurs.

The words are the vendor's: the OpenAPI file of the referrals connector and the documentation's value lists.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

ENUMS: dict[str, tuple[str, ...]] = {
    "type": ("Shared", "Independent"),
    "qualification": ("None", "Direct", "MarketingQualified", "SalesQualified"),
    "status": ("New/Pending", "New/Received", "Active/Accepted", "Closed/Won", "Closed/Lost", "Closed/Declined",
               "Closed/Expired", "Closed/Error", "None/None"),
    "assistanceRequestCode": ("Unknown", "GeneralOrOther", "CustomerTechnicalArchitecture", "ProofOfConceptOrDemo",
                              "QuotesOrLicensing", "PostSalesCustomerSuccess", "WorkloadSpecificValueProposition"),
    "salesStage": ("Qualify", "Develop", "Propose", "Close", "10", "20", "40", "60", "80", "100"),
    "size": ("1to9employees", "10to50employees", "51to250employees", "251to1000employees", "1001to5000employees",
             "5001to10000employees", "10001to20000employees", "Morethan20000employees", "1to50employees",
             "51to500employees", "Morethan500employees"),
    "direction": ("Incoming", "Outgoing"),
    "target": ("None", "SolutionProfile", "BusinessProfileLocation"),
    "solution": ("None", "Category", "Name"),
    "profile": ("Duns", "External", "moodys"),
    "intent": ("Yes", "No", "HaveNotDecided"),
    "currency": ("USD", "EUR", "JPY", "NOK"),
}  # fmt: skip
ORGANIZATION = "5b8e2c1e-0f3a-4c55-9d0b-2a7f6f0e9c11"
_MANY = 50_000
"""Letters to cut texts from: as random as a text made letter by letter, at a tenth of the time."""
_START = datetime(2020, 1, 1, tzinfo=UTC)
_LETTERS = "abc XYZ 019 .,-&/'\"<>\\\t\n äöüß Ø 日本 語 Ж ع 🌕 👩‍🚀 ✔ ✖ \u200f \u0301 \u2028"


class Source:
    """One stream of referrals. `seen` counts the enum words used."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self._letters = "".join(self.dice.choices(_LETTERS, k=_MANY))
        self.seen: Counter[tuple[str, str]] = Counter()

    def referral(self) -> dict[str, Any]:
        """One referral as JSON, of any kind."""
        status, substatus = self.word("status").split("/")
        document = {
            "id": self.guid(),
            "engagementId": self.guid(),
            "name": "D" + self.text(60),
            "organizationId": ORGANIZATION,
            "organizationName": self.text(30),
            "externalReferenceId": self.maybe(self.guid),
            "createdDateTime": self.moment(),
            "updatedDateTime": self.moment(),
            "expirationDateTime": self.maybe(self.moment),
            "acceptedDateTime": self.maybe(self.moment),
            "closedDateTime": self.maybe(self.moment),
            "status": status,
            "substatus": substatus,
            "statusReason": self.maybe(lambda: self.text(80)),
            "qualification": self.word("qualification"),
            "type": self.word("type"),
            "eTag": f'"{self.guid()}"',
            "favorite": self.flag(),
            "campaignId": self.maybe(lambda: self.text(40)),
            "salesStage": self.maybe(lambda: self.word("salesStage")),
            "isSpam": self.flag(),
            "direction": self.word("direction"),
            "mpnId": self.maybe(lambda: str(self.dice.randrange(10**7))),
            "target": self.many(lambda: {"type": self.word("target"), "id": self.text(12)}, 2),
            "customerProfile": self.customer(),
            "consent": {
                "consentToContact": self.flag(),
                "consentToToShareInfoWithOthers": self.flag(),
                "consentToShareReferralWithMicrosoftSellers": self.flag(),
            },
            "details": self.details(),
            "team": self.many(self.member, 3),
            "inviteContext": self.maybe(self.invitation),
            "trackingInfo": self.maybe(lambda: {"microsoftMsxId": self.maybe(lambda: "7-" + self.text(8))}),
            "tags": self.many(lambda: self.text(5), 2),
            "registrations": [],
        }
        return self.thinned(document)

    def customer(self) -> dict[str, Any]:
        address = {
            "addressLine1": self.text(60), "addressLine2": self.maybe(lambda: self.text(40)), "city": self.text(30),
            "state": self.maybe(lambda: self.text(20)), "postalCode": self.maybe(lambda: self.text(9)),
            "country": self.dice.choice(("US", "DE", "no", "JP")), "region": self.maybe(lambda: self.text(20)),
        }  # fmt: skip
        return self.thinned(
            {
                "name": self.text(80),
                "size": self.maybe(lambda: self.word("size")),
                "isMatchingComplete": self.flag(),
                "address": address,
                "team": self.many(self.member, 3),
                "ids": self.many(lambda: {"profileType": self.word("profile"), "id": self.text(9)}, 2),
            }
        )

    def details(self) -> dict[str, Any]:
        attributes = [
            {"type": "CustomerMarketplaceIntent", "id": self.word("intent")},
            {"type": "SolutionArea", "id": self.text(30)},
            {"type": "SolutionPlay", "id": self.text(30)},
            {"type": "PartnerRole", "id": self.text(20)},
            {"type": "Conversation", "id": self.text(20)},
        ]
        requirements = {
            "industries": self.many(lambda: {"id": "Manufacturing"}, 2),
            "products": self.many(lambda: {"id": "Azure"}, 2),
            "solutions": self.many(self.solution, 4),
            "offers": [],
            "additionalRequirements": self.maybe(
                lambda: {"attributes": self.dice.sample(attributes, self.dice.randrange(6))}
            ),
        }
        return self.thinned(
            {
                "notes": self.maybe(lambda: self.text(self.dice.choice((50, 300, 3000)))),
                "dealValue": self.maybe(self.amount),
                "currency": self.word("currency"),
                "closingDateTime": self.moment(),
                "requirements": requirements,
            }
        )

    def solution(self) -> dict[str, Any]:
        key = self.dice.choice(("SOL-", "sol-")) + f"{self.dice.randrange(10**5)}-{self.dice.choice('ABC')}"
        kind = self.word("solution")
        return {
            "id": "Dynamics365forSales" if kind == "Category" else key,
            "name": self.maybe(lambda: self.text(30)),
            "type": kind,
        }

    def member(self) -> dict[str, Any]:
        return self.thinned(
            {
                "firstName": self.text(20),
                "lastName": self.text(20),
                "email": f"p{self.dice.randrange(10**6)}@customer.example",
                "phoneNumber": self.maybe(lambda: "+47 " + str(self.dice.randrange(10**8))),
                "contactPreference": {"locale": "en-us", "disableNotifications": self.flag()},
            }
        )

    def invitation(self) -> dict[str, Any]:
        inviter = self.dice.choice((ORGANIZATION, "msft", self.guid()))
        return self.thinned(
            {
                "notes": self.maybe(lambda: self.text(100)),
                "assistanceRequestCode": self.word("assistanceRequestCode"),
                "invitedBy": {"organizationId": inviter, "organizationName": self.text(20)},
            }
        )

    # -- values ------------------------------------------------------------------------------------------------------
    def word(self, enum: str) -> str:
        word = self.dice.choice(ENUMS[enum])
        self.seen[enum, word] += 1
        return word

    def text(self, most: int) -> str:
        start = self.dice.randrange(_MANY - most)
        return self._letters[start : start + self.dice.randrange(1, most + 1)]

    def guid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def flag(self) -> bool:
        return self.dice.random() < 0.5

    def amount(self) -> float:
        return self.dice.choice((0, 1, 10.005, 0.01, 84500.5, self.dice.uniform(0.01, 10**9), 10**12))

    def moment(self) -> str:
        when = _START + timedelta(seconds=self.dice.randrange(10**9))
        ending = self.dice.choice(("Z", ".4821937Z", ".5+02:00", "-05:30"))
        return when.replace(tzinfo=None).isoformat() + ending

    def maybe(self, made: Any) -> Any:
        return made() if self.dice.random() < 0.75 else None

    def many(self, made: Any, most: int) -> list[Any]:
        return [made() for _ in range(self.dice.randrange(most + 1))]

    def thinned(self, document: dict[str, Any]) -> dict[str, Any]:
        """Some members are missing, as in real answers; never the id."""
        return {name: value for name, value in document.items() if name == "id" or self.dice.random() < 0.97}
