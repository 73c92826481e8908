"""A new referral as the service stores it: every property present, with the service's defaults.

Property list and defaults follow the referral resource page and captured answers. The form in which a document leaves
(links, quirks) is `rendering`; who may change what is `rules`.
"""

from __future__ import annotations

from typing import Any

from sandbox.layout import Layout
from sandbox.partner_center import schema
from sandbox.partner_center.store import Document

MICROSOFT = "msft"
_NAMES = {MICROSOFT: "Microsoft"}
_TRACKING = (
    "microsoftMsxId",
    "microsoftUSFedOpportunityId",
    "microsoftUSFedLeadId",
    "migratedPSCDealId",
    "migratedPSCPartnerDealId",
)


def complete(value: Any, shape: schema.Shape) -> Any:
    """`value` with every property of `shape`: null, or an empty list, where the client sent nothing."""
    if callable(shape):
        return [] if value is None and shape is schema.anything else value
    if isinstance(shape, list):
        return [complete(item, shape[0]) for item in value or []]
    value = value or {}
    return {name: complete(value.get(name), part) for name, part in shape.items()}


def new_document(layout: Layout, sent: Document, *, referral_id: str, owner: str) -> Document:
    """A referral of `owner` (an organisation id) from a bound request; status, dates and version come later."""
    full = complete(sent, schema.REFERRAL)
    own = full["inviteContext"]["invitedBy"]
    own["organizationId"] = own["organizationId"] or layout.organization_id
    own["organizationName"] = own["organizationName"] or organization_name(layout, own["organizationId"])
    partner_id = full["mpnId"] or layout.partner_id
    full["inviteContext"] |= {
        "assistanceRequestCode": full["inviteContext"]["assistanceRequestCode"] or "Unknown",
        "invitedMpnId": full["inviteContext"]["invitedMpnId"] or partner_id,
    }
    profile = full["customerProfile"]
    for device_flag in ("azureCertifiedDevice", "attachServices"):
        iot = full["details"]["requirements"]["additionalRequirements"]["iot"]
        iot[device_flag] = bool(iot[device_flag])
    return {
        "id": referral_id,
        "engagementId": full["engagementId"],
        "name": full["name"],
        "organizationId": owner,
        "organizationName": organization_name(layout, owner),
        "lastModifiedVia": None,
        "lastRunId": None,
        "externalReferenceId": full["externalReferenceId"],
        "createdDateTime": None,
        "updatedDateTime": None,
        "expirationDateTime": None,
        "acceptedDateTime": None,
        "closedDateTime": None,
        "status": None,
        "substatus": None,
        "statusReason": full["statusReason"],
        "qualification": full["qualification"] or "SalesQualified",
        "type": full["type"],
        "referralSource": None,
        "callToAction": None,
        "eTag": None,
        "favorite": bool(full["favorite"]),
        "campaignId": full["campaignId"],
        "salesStage": full["salesStage"],
        "quality": "Unknown",
        "isSpam": False,
        "direction": None,
        "mpnId": partner_id,
        "referralProgram": full["referralProgram"],
        "dealSensitivity": "None",
        "createdVia": None,
        "tags": [],
        "registrationStatus": "None",
        "target": full["target"],
        "customerProfile": {
            "name": profile["name"],
            "size": profile["size"],
            "isMatchingComplete": False,
            "address": profile["address"],
            "team": profile["team"],
            "ids": profile["ids"],
        },
        "consent": full["consent"],
        "details": full["details"],
        "team": full["team"],
        "inviteContext": full["inviteContext"],
        "trackingInfo": untracked(),
        "registrations": [],
    }


def untracked() -> Document:
    """`trackingInfo` before anybody tracks the deal."""
    return dict.fromkeys(_TRACKING)


def organization_name(layout: Layout, organization_id: str) -> str | None:
    """Display name; unknown organisations have none."""
    if organization_id == layout.organization_id:
        return "Fjordvik Consulting"
    return _NAMES.get(organization_id)


def is_microsofts(document: Document) -> bool:
    return bool(document["organizationId"] == MICROSOFT)


def is_open(document: Document) -> bool:
    return bool(document["status"] != "Closed")


def shares_with_microsoft(document: Document) -> bool:
    return document["consent"]["consentToShareReferralWithMicrosoftSellers"] is True


def merged(document: Any, changes: Any) -> Any:
    """Deep merge: objects member by member, everything else replaced. Neither argument is changed."""
    if not isinstance(document, dict) or not isinstance(changes, dict):
        return changes
    return document | {name: merged(document.get(name), part) for name, part in changes.items()}
