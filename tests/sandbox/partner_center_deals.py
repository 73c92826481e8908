"""Bodies that Partner Center accepts, and the short words that create deals. Companies and people are invented."""

from __future__ import annotations

from typing import Any

import requests

from sandbox.partner_center.document import merged
from tests.sandbox.partner_center_fixture import JSON, REFERRALS, REGISTRATION, Cloud
from tests.sandbox.webhook_receiver import Receiver

EVENTS = [
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "test-created",
]
_DEAL: JSON = {
    "name": "Harbour sensors",
    "externalReferenceId": "77aa0b52-11f4-ef11-9fe4-6045bd9a7c10",
    "qualification": "SalesQualified",
    "type": "Shared",
    "target": [{"type": "SolutionProfile", "id": "SOL-70412-KQX"}],
    "customerProfile": {
        "name": "Brygga Logistikk AS",
        "address": {"addressLine1": "Kaiveien 4", "city": "Stavanger", "postalCode": "4006", "country": "NO"},
        "size": "51to250employees",
        "team": [
            {"firstName": "Nora", "lastName": "Berg", "phoneNumber": "+47 51 00 00 01", "email": "nora@brygga.example"}
        ],
        "ids": [],
    },
    "consent": {
        "consentToToShareInfoWithOthers": True,
        "consentToContact": True,
        "consentToShareReferralWithMicrosoftSellers": True,
    },
    "details": {
        "notes": "Found at a trade fair.",
        "dealValue": 40000,
        "currency": "NOK",
        "closingDateTime": "2027-09-30T00:00:00Z",
        "requirements": {"solutions": [{"id": "SOL-70412-KQX", "name": "ColdTrack", "type": "Name"}]},
    },
    "team": [
        {
            "firstName": "Aksel",
            "lastName": "Dahl",
            "phoneNumber": "+47 90 00 11 22",
            "email": "aksel.dahl@fjordvik.example",
        }
    ],
    "inviteContext": {"assistanceRequestCode": "CustomerTechnicalArchitecture", "notes": "Please review."},
}


def body(**changes: Any) -> JSON:
    """A complete deal; `changes` are merged in, None removes a member."""
    return dict(_without_none(merged(_DEAL, changes)))


def microsoft_body(engagement_id: str, **changes: Any) -> JSON:
    target = [{"type": "BusinessProfileLocation", "id": "msft"}]
    return body(**changes | {"engagementId": engagement_id, "target": target, "externalReferenceId": None})


def create(cloud: Cloud, **changes: Any) -> JSON:
    """Our referral, created by the client."""
    answer = cloud.api("POST", REFERRALS, body(**changes))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def create_co_sell(cloud: Cloud, **changes: Any) -> tuple[JSON, JSON]:
    """Ours and Microsoft's, created by the client's two requests."""
    own = create(cloud, **changes)
    answer = cloud.api("POST", REFERRALS, microsoft_body(own["engagementId"], **changes))
    assert answer.status_code == 200, answer.text
    return own, dict(answer.json())


def read(cloud: Cloud, referral: JSON) -> JSON:
    answer = cloud.api("GET", f"{REFERRALS}/{referral['id']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def patch(cloud: Cloud, referral: JSON, *operations: JSON, **headers: Any) -> requests.Response:
    return cloud.api("PATCH", f"{REFERRALS}/{referral['id']}", list(operations), **headers)


def register(cloud: Cloud, receiver: Receiver, method: str = "POST", **changes: Any) -> JSON:
    """Register the receiver for all referral events and the test event."""
    body = {"WebhookUrl": receiver.url, "WebhookEvents": EVENTS, **changes}
    answer = cloud.api(method, REGISTRATION, body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def replace(path: str, value: Any) -> JSON:
    return {"op": "replace", "path": path, "value": value}


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return value
