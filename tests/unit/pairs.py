"""The pair the unit, golden and property tests work on: a deal both systems hold alike, and changes to either side.

`document` is the referral as Partner Center would answer it, `opportunity` the row as Dataverse would; both are in step
until a test changes one of them. People and companies are invented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from shared import mapping_file
from shared.domain.mapping import Mapping
from shared.domain.opportunity import SOLUTION_TABLE, Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.row import Lookup, Row
from shared.domain.rules import RULES
from shared.domain.state import SyncState
from shared.domain.terms import Currency, Terms
from shared.settings import Settings, load

REFERRAL_ID = "1f0c6a52-7d34-4a1b-8a55-3f1f6b2d9e70"
MICROSOFTS_ID = "9b1f4e77-52c8-4f0e-b7a6-0d6a1c2e3f45"
ENGAGEMENT_ID = "c2a9d1b4-6e0f-47c8-9b7e-51d3e8a04f26"
ORGANIZATION_ID = "5b8e2c1e-0f3a-4c55-9d0b-2a7f6f0e9c11"
OPPORTUNITY_ID = "0d6b3c52-11f4-4f11-9fe4-6045bd9a7c10"
ACCOUNT_ID = "71d0b4aa-6647-4111-bec6-000d3a5b7c21"
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
CURRENCIES = {
    "USD": Currency("11111111-0000-4000-8000-000000000001", 2),
    "EUR": Currency("11111111-0000-4000-8000-000000000002", 2),
    "JPY": Currency("11111111-0000-4000-8000-000000000003", 0),
    "NOK": Currency("11111111-0000-4000-8000-000000000004", 2),
}
ENVIRONMENT: dict[str, object] = {
    "PC_TENANT_ID": "a6f6d8a5-14bb-4d40-8d3e-6a3b3f1f0001",
    "PC_CLIENT_ID": "a6f6d8a5-14bb-4d40-8d3e-6a3b3f1f0002",
    "PC_CLIENT_SECRET": "not-a-real-secret",
    "PC_ORGANIZATION_ID": ORGANIZATION_ID,
    "KEY_VAULT_URL": "https://kv-cosell.vault.example",
    "DATAVERSE_URL": "https://contoso.crm.example",
    "ServiceBusConnection__fullyQualifiedNamespace": "sb-cosell.servicebus.example",
}


def settings(**changes: object) -> Settings:
    """Valid settings; names as in the environment."""
    return load({**ENVIRONMENT, **changes})


@cache
def mapping() -> Mapping:
    """The shipped mapping with the columns of the default settings."""
    return mapping_file.load(settings())


def terms(**changes: Any) -> Terms:
    """Terms as a CRM with four currencies and the documented column lengths gives them."""
    limits = {"name": 300, "description": 2000, "cosell_notestomicrosoft": 2000, "cosell_campaigncode": 100}
    standard: dict[str, Any] = {
        "mapping": mapping(), "currencies": CURRENCIES, "limits": limits, "organization_id": ORGANIZATION_ID,
    }  # fmt: skip
    return Terms(**{**standard, **changes})


DOCUMENT: dict[str, Any] = {
    "@odata.context": "https://api.partner.example/v1.0/engagements/$metadata#Referrals/$entity",
    "id": REFERRAL_ID,
    "engagementId": ENGAGEMENT_ID,
    "name": "Cold-chain analytics rollout",
    "organizationId": ORGANIZATION_ID,
    "organizationName": "Fjordvik Consulting",
    "externalReferenceId": OPPORTUNITY_ID,
    "createdDateTime": "2026-03-02T09:15:30.4821937Z",
    "updatedDateTime": "2026-03-02T09:15:30.4821937Z",
    "expirationDateTime": None,
    "acceptedDateTime": "2026-03-02T09:15:30.4809114Z",
    "closedDateTime": None,
    "status": "Active",
    "substatus": "Accepted",
    "statusReason": None,
    "qualification": "SalesQualified",
    "type": "Shared",
    "eTag": '"7d00b1c2-0000-0d00-0000-69a555320000"',
    "campaignId": "SPRING-26",
    "salesStage": "20",
    "isSpam": False,
    "direction": "Outgoing",
    "mpnId": "4862210",
    "target": [{"type": "SolutionProfile", "id": "SOL-70412-KQX"}],
    "customerProfile": {
        "name": "Northgate Foods AS",
        "size": "251to1000employees",
        "isMatchingComplete": False,
        "address": {
            "addressLine1": "Havnegata 12", "addressLine2": None, "city": "Bergen", "state": None,
            "postalCode": "5003", "country": "NO", "region": None,
        },
        "team": [
            {"firstName": "Ingrid", "lastName": "Solberg", "phoneNumber": "+47 55 01 02 03",
             "email": "ingrid.solberg@northgate.example", "title": None,
             "contactPreference": {"locale": "nb-no", "disableNotifications": True}},
        ],
        "ids": [{"profileType": "Duns", "id": "731204988"}],
    },
    "consent": {
        "consentToToShareInfoWithOthers": True,
        "consentToContact": True,
        "consentToMicrosoftToContactSpecificPartners": None,
        "consentToShareReferralWithMicrosoftSellers": True,
    },
    "details": {
        "notes": "Pilot in two warehouses first.",
        "dealValue": 84500.5,
        "currency": "NOK",
        "closingDateTime": "2026-06-30T00:00:00Z",
        "customerAction": None,
        "requirements": {
            "industries": [{"id": "Manufacturing"}],
            "products": [{"id": "Azure"}],
            "services": [{"id": "DeploymentOrMigration"}],
            "solutions": [{"id": "SOL-70412-KQX", "name": "ColdTrack", "type": "Name", "solutionType": "3P"}],
            "offers": [],
            "additionalRequirements": {"attributes": [{"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"}]},
        },
    },
    "team": [
        {"firstName": "Aksel", "lastName": "Dahl", "phoneNumber": "+47 90 00 11 22",
         "email": "aksel.dahl@fjordvik.example"},
    ],
    "inviteContext": {
        "notes": "Please join the first workshop.",
        "assistanceRequestCode": "ProofOfConceptOrDemo",
        "invitedMpnId": "4862210",
        "invitedBy": {"organizationId": ORGANIZATION_ID, "organizationName": "Fjordvik Consulting"},
    },
    "links": {"self": {"uri": f"https://api.partner.example/engagements/referrals/{REFERRAL_ID}", "method": "GET"}},
    "trackingInfo": {"microsoftMsxId": None},
    "registrations": [],
}  # fmt: skip
"""The own referral of a co-sell deal we created; the shape of the vendor's newest example, invented data."""
_AS_TEXT = json.dumps(DOCUMENT)
"""Read again for each copy: that is many times faster than copying."""


def document(changes: Dictionary[str, Any] | None = None) -> dict[str, Any]:
    """The referral's JSON with the members at these dotted paths replaced."""
    made: dict[str, Any] = json.loads(_AS_TEXT)
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        holder = made
        for name in parents:
            holder = holder[name]
        holder[last] = value
    return made


def referral(changes: Dictionary[str, Any] | None = None) -> Referral:
    return Referral.model_validate(document(changes))


COLUMNS: dict[str, Any] = {
    "name": "✔ Cold-chain analytics rollout",
    "statecode": 0,
    "statuscode": 1,
    "createdon": datetime(2026, 3, 2, 9, 15, tzinfo=UTC),
    "modifiedon": datetime(2026, 3, 2, 9, 15, tzinfo=UTC),
    "estimatedvalue": Decimal("84500.50"),
    "estimatedclosedate": date(2026, 6, 30),
    "description": "Pilot in two warehouses first.",
    "salesstage": 0,
    "opportunityratingcode": 1,
    "transactioncurrencyid": Lookup("transactioncurrency", CURRENCIES["NOK"].id),
    "parentaccountid": Lookup("account", ACCOUNT_ID),
    "customerid": Lookup("account", ACCOUNT_ID),
    "ownerid": Lookup("systemuser", "44c7d9b2-1e3a-4011-877b-6045bd0a1e55"),
    "cosell_syncwithpartnercenter": True,
    "cosell_referralidentifier": REFERRAL_ID,
    "cosell_engagementidentifier": ENGAGEMENT_ID,
    "cosell_microsoftreferralidentifier": MICROSOFTS_ID,
    "cosell_referralvisibility": 100000001,
    "cosell_howcanmicrosofthelp": 100000003,
    "cosell_notestomicrosoft": "Please join the first workshop.",
    "cosell_campaigncode": "SPRING-26",
    "cosell_purchaseintent": 100000003,
}
ACCOUNT: dict[str, Any] = {
    "name": "Northgate Foods AS",
    "address1_line1": "Havnegata 12",
    "address1_city": "Bergen",
    "address1_postalcode": "5003",
    "address1_country": "no",
    "numberofemployees": 400,
    "cosell_dunsnumber": "731204988",
}
CONTACT: dict[str, Any] = {
    "firstname": "Ingrid",
    "lastname": "Solberg",
    "emailaddress1": "ingrid.solberg@northgate.example",
    "telephone1": "+47 55 01 02 03",
    "jobtitle": "Head of Logistics",
}
OWNER: dict[str, Any] = {
    "firstname": "Aksel",
    "lastname": "Dahl",
    "internalemailaddress": "aksel.dahl@fjordvik.example",
    "mobilephone": "+47 90 00 11 22",
}
SOLUTIONS = {"SOL-70412-KQX": "ColdTrack"}


def opportunity(
    columns: Dictionary[str, Any] | None = None,
    *,
    account: Dictionary[str, Any] | None = ACCOUNT,
    contact: Dictionary[str, Any] | None = CONTACT,
    owner: Dictionary[str, Any] | None = OWNER,
    currency: str | None = "NOK",
    solutions: Dictionary[str, str] | None = None,
) -> Opportunity:
    """The row with its graph; `columns` replace single values, the keywords whole related rows."""
    rows = SOLUTIONS if solutions is None else solutions
    expanded: dict[str, Row | list[Row] | None] = {
        "parentaccountid": _row("account", account),
        "parentcontactid": _row("contact", contact),
        "ownerid": _row("systemuser", owner),
        "transactioncurrencyid": _row(
            "transactioncurrency", None if currency is None else {"isocurrencycode": currency, "currencyprecision": 2}
        ),
        SOLUTION_TABLE: [
            Row(SOLUTION_TABLE, str(n), "", {"cosell_solutionid": key, "cosell_name": name})
            for n, (key, name) in enumerate(rows.items())
        ],
    }
    return Opportunity(Row("opportunity", OPPORTUNITY_ID, 'W/"1"', {**COLUMNS, **(columns or {})}, expanded))


def later(row: Opportunity, modified: datetime | None) -> Opportunity:
    """The row as last changed at another time."""
    return replace(row, row=replace(row.row, values={**row.row.values, "modifiedon": modified}))


def _row(table: str, values: Dictionary[str, Any] | None) -> Row | None:
    return None if values is None else Row(table, f"{table}-id", "", dict(values))


def in_step(found: Referral, row: Opportunity, known: Terms) -> SyncState:
    """The state right after both sides were brought into agreement as they now are."""
    return SyncState(referral_id=found.id, status_pc="active", status_crm="open", outbound=True).with_seen(
        {
            line.field: (
                RULES[line.rule].from_referral(found, line, known),
                RULES[line.rule].from_opportunity(row, line, known),
            )
            for line in known.mapping.opportunity
        }
    )


def at(found: Referral, path: str) -> Any:
    """The referral's value at a mapping path."""
    return reach(found, path)
