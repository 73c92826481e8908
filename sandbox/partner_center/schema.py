"""The referral's properties as the API binds them: names without regard to case, types checked, unknown ones refused.

`REFERRAL` is the property tree of the published contract and the newer documentation; `bind` turns what a client sent
into a document with the service's spelling, or raises `Refusal` 400 with the JSON pointer of the first offence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sandbox.partner_center.stamps import moment
from sandbox.tokens import Refusal

type Leaf = Callable[[Any, str], Any]
type Shape = Leaf | dict[str, Any] | list[Any]


def invalid(message: str, target: str) -> Refusal:
    """400, as the API answers anything it cannot accept."""
    return Refusal(400, "invalidRequest", message, target=target)


def text(value: Any, target: str) -> Any:
    if value is not None and not isinstance(value, str):
        raise invalid(f"The value of '{target}' must be a string.", target)
    return value


def number(value: Any, target: str) -> Any:
    """A JSON number or a numeric string, as number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
        if value is None:
            raise invalid(f"The value of '{target}' must be a number.", target)
        value = int(value) if value.is_integer() else value
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ):
        raise invalid(f"The value of '{target}' must be a number.", target)
    return value


def flag(value: Any, target: str) -> Any:
    if value is not None and not isinstance(value, bool):
        raise invalid(f"The value of '{target}' must be true or false.", target)
    return value


def time(value: Any, target: str) -> Any:
    """A date-time, kept as it was written."""
    if value is None:
        return None
    try:
        moment(value if isinstance(value, str) else "")
    except ValueError as error:
        raise invalid(f"The value of '{target}' must be a date-time.", target) from error
    return value


def anything(value: Any, target: str) -> Any:
    return value


def one_of(*words: str) -> Leaf:
    def check(value: Any, target: str) -> Any:
        if value is not None and value not in words:
            raise invalid(f"'{value}' is not a valid value of '{target}'; valid are {', '.join(words)}.", target)
        return value

    return check


STATUS = one_of("New", "Active", "Closed", "None")
SUBSTATUS = one_of("Pending", "Received", "Accepted", "Won", "Lost", "Declined", "Expired", "None")
HELP_CODES = (
    "WorkloadSpecificValueProposition",
    "CustomerTechnicalArchitecture",
    "ProofOfConceptOrDemo",
    "QuotesOrLicensing",
    "PostSalesCustomerSuccess",
    "GeneralOrOther",
)
MEMBER: Shape = {
    "firstName": text,
    "lastName": text,
    "email": text,
    "phoneNumber": text,
    "title": text,
    "contactPreference": {"locale": text, "disableNotifications": flag},
}
SOLUTION: Shape = {
    "id": text,
    "name": text,
    "type": one_of("None", "Category", "Name"),
    "price": number,
    "quantity": number,
    "currency": text,
    "publisherName": text,
    "solutionType": text,
    "closingDateTime": time,
}
REGISTRATION: Shape = {
    "id": text,
    "type": one_of("AzureIPCoSell"),
    "contract": {
        "value": number,
        "currency": text,
        "startDateTime": time,
        "endDateTime": time,
        "signDateTime": time,
        "term": one_of("Perpetual", "Finite"),
    },
    "solutionDetails": [
        {
            "id": text,
            "name": text,
            "value": number,
            "currency": text,
            "isDeployedOnAzure": flag,
            "primaryDeploymentOn": one_of("Customer", "Partner"),
            "pricingModel": one_of("PayAsYouGo", "Other"),
            "marketplaceTransactionDetails": {"isMarketplaceTransacted": flag, "marketplaceTransactionDateTime": time},
        }
    ],
}
REFERRAL: dict[str, Shape] = {
    "engagementId": text,
    "name": text,
    "externalReferenceId": text,
    "status": STATUS,
    "substatus": SUBSTATUS,
    "statusReason": text,
    "qualification": one_of("None", "Direct", "MarketingQualified", "SalesQualified"),
    "type": one_of("Independent", "Shared"),
    "favorite": flag,
    "campaignId": text,
    "salesStage": text,
    "mpnId": text,
    "referralProgram": text,
    "target": [{"type": one_of("None", "BusinessProfileLocation", "SolutionProfile"), "id": text}],
    "customerProfile": {
        "name": text,
        "size": text,
        "address": {
            "addressLine1": text,
            "addressLine2": text,
            "city": text,
            "state": text,
            "postalCode": text,
            "country": text,
            "region": text,
        },
        "team": [MEMBER],
        "ids": [{"profileType": text, "id": text}],
    },
    "consent": {
        "consentToToShareInfoWithOthers": flag,
        "consentToContact": flag,
        "consentToMicrosoftToContactSpecificPartners": flag,
        "consentToShareReferralWithMicrosoftSellers": flag,
        "consentToShareCustomerContactLater": flag,
    },
    "details": {
        "notes": text,
        "dealValue": number,
        "currency": text,
        "closingDateTime": time,
        "customerRequestedContact": flag,
        "customerAction": text,
        "incentiveLevel": text,
        "requirements": {
            "industries": [{"id": text}],
            "products": [{"id": text}],
            "services": [{"id": text}],
            "solutions": [SOLUTION],
            "offers": anything,
            "salesPlays": anything,
            "additionalRequirements": {
                "iot": {
                    "customerLicenseAgreementNumber": text,
                    "deviceCategory": text,
                    "siliconType": text,
                    "azureCertifiedDevice": flag,
                    "attachServices": flag,
                },
                "attributes": [{"type": text, "id": text}],
            },
        },
    },
    "team": [MEMBER],
    "inviteContext": {
        "notes": text,
        "assistanceRequestCode": one_of("Unknown", *HELP_CODES),
        "invitedMpnId": text,
        "invitedBy": {"organizationId": text, "organizationName": text},
    },
}
SERVER_OWNED = {
    name.lower()
    for name in [
        "@odata.context",
        "id",
        "organizationId",
        "organizationName",
        "lastModifiedVia",
        "lastRunId",
        "createdDateTime",
        "updatedDateTime",
        "expirationDateTime",
        "acceptedDateTime",
        "closedDateTime",
        "referralSource",
        "callToAction",
        "eTag",
        "quality",
        "isSpam",
        "direction",
        "dealSensitivity",
        "createdVia",
        "tags",
        "registrationStatus",
        "links",
        "trackingInfo",
        "registrations",
        "isMatchingComplete",
        "emailValidationStatus",
        "phoneValidationStatus",
    ]
}
"""Accepted in a request and ignored."""


def bind(value: Any, shape: Shape, target: str, *, strict: bool) -> Any:
    """`value` in the service's spelling. Not `strict`: unknown properties are dropped instead of refused."""
    if callable(shape):
        return shape(value, target)
    if value is None:
        return None
    if isinstance(shape, list):
        if value == {} and target.endswith("/ids"):  # the documentation's own examples write it so
            return []
        if not isinstance(value, list):
            raise invalid(f"The value of '{target}' must be an array.", target)
        return [bind(item, shape[0], f"{target}/{index}", strict=strict) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        raise invalid(f"The value of '{target or '/'}' must be an object.", target or "/")
    spelling = {name.lower(): name for name in shape}
    bound: dict[str, Any] = {}
    for name, item in value.items():
        known = spelling.get(name.lower())
        if known is not None:
            bound[known] = bind(item, shape[known], f"{target}/{known}", strict=strict)
        elif strict and name.lower() not in SERVER_OWNED:
            raise invalid(f"The property '{name}' does not exist on this type.", f"{target}/{name}")
    return bound
