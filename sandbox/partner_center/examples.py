"""An example deal with invented companies and people: the ground that hooks build on when a body leaves things out."""

from __future__ import annotations

import copy

from sandbox.partner_center.store import Document

_EXAMPLE: Document = {
    "name": "Cold-chain analytics rollout",
    "qualification": "SalesQualified",
    "type": "Shared",
    "target": [{"type": "SolutionProfile", "id": "SOL-70412-KQX"}],
    "customerProfile": {
        "name": "Northgate Foods AS",
        "size": "251to1000employees",
        "address": {"addressLine1": "Havnegata 12", "city": "Bergen", "postalCode": "5003", "country": "NO"},
        "team": [
            {
                "firstName": "Ingrid",
                "lastName": "Solberg",
                "phoneNumber": "+47 55 01 02 03",
                "email": "ingrid.solberg@northgate.example",
            }
        ],
        "ids": [],
    },
    "consent": {
        "consentToToShareInfoWithOthers": True,
        "consentToContact": True,
        "consentToShareReferralWithMicrosoftSellers": True,
    },
    "details": {
        "notes": "Pilot in two warehouses first.",
        "dealValue": 84500.5,
        "currency": "NOK",
        "closingDateTime": "2027-06-30T00:00:00Z",
        "requirements": {
            "industries": [{"id": "Manufacturing"}],
            "products": [{"id": "Azure"}],
            "services": [{"id": "DeploymentOrMigration"}],
            "solutions": [
                {
                    "id": "SOL-70412-KQX",
                    "name": "ColdTrack",
                    "type": "Name",
                    "publisherName": "Fjordvik Consulting",
                    "solutionType": "3P",
                }
            ],
            "additionalRequirements": {
                "attributes": [{"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"}],
            },
        },
    },
    "team": [
        {
            "firstName": "Aksel",
            "lastName": "Dahl",
            "phoneNumber": "+47 90 00 11 22",
            "email": "aksel.dahl@fjordvik.example",
        }
    ],
    "inviteContext": {"assistanceRequestCode": "Unknown"},
}


def example() -> Document:
    """A fresh copy."""
    return copy.deepcopy(_EXAMPLE)
