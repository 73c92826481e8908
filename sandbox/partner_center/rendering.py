"""How documents and refusals leave: links and context added, the quirks of form applied, the vendor's error shapes.

The referrals host, the webhook host and the gateway before them each have their own error document. Nothing is decided
here; see `quirks` for what each switch means.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.layout import Layout, new_guid
from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.stamps import stamp
from sandbox.partner_center.store import Document
from sandbox.tokens import Refusal

_CODES = {
    400: "invalidRequest",
    401: "unauthenticated",
    403: "accessDenied",
    404: "itemNotFound",
    409: "resourceModified",
    412: "preconditionFailed",
    503: "serviceNotAvailable",
}
_WEBHOOK_CODES = {400: 3000, 401: 400, 403: 2032, 404: 1000, 409: 4009}
REGISTRATION_PATH = "/webhooks/v1"


def render(layout: Layout, document: Document, quirks: Quirks) -> Document:
    """The document as the API shows it, without `@odata.context`."""
    shown = _loosened(document)
    base = f"{layout.partner_center_url}/v1.0/engagements/referrals"
    registrations = shown.pop("registrations")
    tracking = shown.pop("trackingInfo")
    shown["links"] = {
        "relatedReferrals": {
            "uri": f"{base}?$filter=engagementId eq {document['engagementId']}",
            "method": "GET",
        },
        "self": {"uri": f"{base}/{document['id']}", "method": "GET"},
    }
    shown |= {"trackingInfo": tracking, "registrations": registrations}
    address = shown["customerProfile"]["address"]
    if quirks.region_for_state:
        address["region"], address["state"] = address["state"] or address["region"], None
    if quirks.ids_as_object and not shown["customerProfile"]["ids"]:
        shown["customerProfile"]["ids"] = {}
    if quirks.always_incoming:
        shown["direction"] = "Incoming"
    if quirks.hide_last_modified_via:
        shown["lastModifiedVia"] = shown["createdVia"] = None
    if quirks.pascal_case_consent:
        for name in ("consentToMicrosoftToContactSpecificPartners", "consentToShareCustomerContactLater"):
            shown["consent"][name[0].upper() + name[1:]] = shown["consent"].pop(name)
    if quirks.unknown_extras:
        shown |= {"businessProcess": {"stage": 3}, "quality": "Splendid", "actions": ["Accept"]}
        shown["details"]["forecast"] = None
    return shown if quirks.empty_as == "null" else _without_nulls(shown, blank=quirks.empty_as == "blank")


def _loosened(document: Document) -> Document:
    """A copy in which everything that `render` changes is a copy as well; the rest is the stored document's own."""
    shown = document | {name: dict(document[name]) for name in ("customerProfile", "consent", "details")}
    shown["customerProfile"]["address"] = dict(shown["customerProfile"]["address"])
    return shown


def context(layout: Layout, fragment: str) -> str:
    return f"{layout.partner_center_url}/v1.0/engagements/$metadata#{fragment}"


def _without_nulls(value: Any, *, blank: bool) -> Any:
    """Null text as "", or left out; null numbers, flags and dates cannot be blank, so they are left out."""
    if isinstance(value, list):
        return [_without_nulls(item, blank=blank) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "" if part is None else _without_nulls(part, blank=blank)
        for name, part in value.items()
        if part is not None or (blank and not _never_text(name))
    }


def _never_text(name: str) -> bool:
    return name.endswith("DateTime") or name.lower().startswith("consentto") or name in _NUMBERS_AND_FLAGS


_NUMBERS_AND_FLAGS = {
    "dealValue",
    "price",
    "quantity",
    "value",
    "customerRequestedContact",
    "disableNotifications",
    "isDeployedOnAzure",
    "isMarketplaceTransacted",
}


def headers(request: Request, now: datetime) -> dict[str, str]:
    """The headers every answer of the two hosts carries."""
    if request.scope["path"].startswith(REGISTRATION_PATH):
        return {
            "MS-CorrelationId": request.headers.get("ms-correlationid", new_guid()),
            "MS-RequestId": request.headers.get("ms-requestid", new_guid()),
            "X-Locale": "en-US",
        }
    own = new_guid()
    return {
        "request-id": own,
        "client-request-id": request.headers.get("client-request-id", own),
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"SliceC","Ring":"1"}}',
        "timestamp": stamp(now),
        "OData-Version": "4.0",
    }


def render_refusal(request: Request, refusal: Refusal, now: datetime) -> Response:
    """The error document of the host that was asked."""
    body: Document
    if refusal.status == 429:
        wait = refusal.headers.get("Retry-After", "60")
        body = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {wait} seconds."}
    elif request.url.path.startswith(REGISTRATION_PATH):
        code = int(refusal.code) if refusal.code.isdigit() else _WEBHOOK_CODES.get(refusal.status, refusal.status)
        body = {
            "code": code,
            "description": refusal.message[:1024],
            "data": [refusal.target] if refusal.target else [],
            "source": "PartnerApiServiceCore",
        }
    else:
        fallback = "invalidRequest" if refusal.status < 500 else "generalException"
        error = {
            "code": refusal.code or _CODES.get(refusal.status, fallback),
            "message": refusal.message[:1024],
            "target": refusal.target,
            "innerError": None,
        }
        body = {"error": error}
    return JSONResponse(body, refusal.status, headers(request, now))
