"""An example deal as a body to create, complete enough for the portal's rules. Companies and people are invented."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

type Body = dict[str, Any]


def deal(**changes: Any) -> Body:
    """A new deal of the partner's with its own CRM id; `changes` replace members."""
    return {
        "name": "Cold-chain analytics rollout",
        "externalReferenceId": str(uuid.uuid4()),
        "qualification": "SalesQualified",
        "type": "Shared",
        "target": [{"type": "SolutionProfile", "id": "SOL-70412-KQX"}],
        "customerProfile": {
            "name": "Northgate Foods AS",
            "address": {"addressLine1": "Havnegata 12", "city": "Bergen", "postalCode": "5003", "country": "NO"},
            "team": [member("Ingrid", "Solberg")],
            "ids": [],
        },
        "consent": {
            "consentToToShareInfoWithOthers": True,
            "consentToContact": True,
            "consentToShareReferralWithMicrosoftSellers": True,
        },
        "details": {
            "notes": "Pilot in two warehouses first ✔ – Größe.",
            "dealValue": Decimal("84500.55"),
            "currency": "NOK",
            "closingDateTime": datetime(2027, 6, 30, tzinfo=UTC),
            "requirements": {
                "solutions": [{"id": "SOL-70412-KQX", "name": "ColdTrack", "type": "Name"}],
                "additionalRequirements": {
                    "attributes": [{"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"}]
                },
            },
        },
        "team": [member("Aksel", "Dahl")],
        **changes,
    }


def invitation(engagement_id: str | None, **changes: Any) -> Body:
    """The second request of a co-sell deal, which invites Microsoft."""
    body = deal(
        engagementId=engagement_id,
        target=[{"type": "BusinessProfileLocation", "id": "msft"}],
        inviteContext={"assistanceRequestCode": "CustomerTechnicalArchitecture", "notes": "Please review."},
        **changes,
    )
    del body["externalReferenceId"]
    return body


def member(first: str, last: str) -> Body:
    return {
        "firstName": first,
        "lastName": last,
        "phoneNumber": "+47 90 00 11 22",
        "email": f"{first}.{last}@fjordvik.example".lower(),
    }
