"""What kind of deal a referral is, and which kinds are taken into the CRM."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.classify import InboundPolicy, Kind, inbound, is_lead, kind, wanted
from tests.unit import pairs

OWN, OTHER = pairs.ORGANIZATION_ID, "99999999-0000-4000-8000-00000000000f"
SHARE = "consent.consentToShareReferralWithMicrosoftSellers"


@pytest.mark.parametrize(
    ("type_", "qualification", "inviter", "code", "shared", "expected"),
    [
        ("Independent", "Direct", "msft", None, False, "marketplace_lead"),
        ("Independent", "Direct", None, None, False, "marketplace_lead"),
        ("independent", "DIRECT", "MSFT", None, True, "marketplace_lead"),
        ("Independent", "SalesQualified", "msft", None, False, "lead"),
        ("Independent", "MarketingQualified", "msft", None, False, "lead"),
        ("Independent", "None", "msft", None, False, "co_sell"),
        ("Independent", "SalesQualified", OWN, None, False, "private"),
        ("Independent", "SalesQualified", OWN, "Unknown", True, "partner_led"),
        ("Independent", "Direct", OWN, None, False, "private"),
        ("Independent", "None", OTHER, None, True, "partner_to_partner"),
        ("Shared", "SalesQualified", OWN, "QuotesOrLicensing", True, "co_sell"),
        ("Shared", "SalesQualified", "msft", None, None, "co_sell"),
        ("Shared", "Direct", "msft", None, None, "co_sell"),
        ("Shared", "SalesQualified", OWN, None, True, "partner_led"),
        ("Shared", "SalesQualified", OWN, None, None, "private"),
        (None, None, None, None, None, "private"),
    ],
)
def test_kind(
    type_: str | None, qualification: str | None, inviter: str | None, code: str | None, shared: bool | None,
    expected: str,
) -> None:  # fmt: skip
    changes: dict[str, Any] = {"type": type_, "qualification": qualification, SHARE: shared}
    changes |= {"inviteContext.assistanceRequestCode": code, "inviteContext.invitedBy": {"organizationId": inviter}}
    assert kind(pairs.referral(changes)) == expected


def test_microsofts_record_makes_it_co_sell() -> None:
    own = pairs.referral({"inviteContext": None, SHARE: False})
    assert kind(own) == "private"
    assert kind(own, pairs.referral({"organizationId": "msft"})) == "co_sell"


KINDS: tuple[Kind, ...] = ("private", "partner_led", "co_sell", "partner_to_partner", "lead", "marketplace_lead")


@pytest.mark.parametrize(
    ("policy", "taken"),
    [
        (InboundPolicy(), set(KINDS)),
        (InboundPolicy(co_sell_only=True), {"partner_led", "co_sell"}),
        (InboundPolicy(leads=False), {"private", "partner_led", "co_sell", "partner_to_partner"}),
        (InboundPolicy(private_deals=False), set(KINDS) - {"private"}),
        (InboundPolicy(co_sell_only=True, leads=True, private_deals=True), {"partner_led", "co_sell"}),
    ],
    ids=["default", "co-sell only", "no leads", "no private deals", "co-sell only wins"],
)
def test_wanted(policy: InboundPolicy, taken: set[Kind]) -> None:
    assert {found for found in KINDS if wanted(found, policy)} == taken


def test_leads() -> None:
    assert [found for found in KINDS if is_lead(found)] == ["lead", "marketplace_lead"]


@pytest.mark.parametrize(
    ("inviter", "organization", "status", "direction", "expected"),
    [
        ("msft", OWN, "Active", "Outgoing", True),
        (OTHER, OWN, "Active", None, True),
        (OWN, OWN, "Active", "Incoming", False),
        (OWN.upper(), OWN, "Active", "Incoming", False),
        (None, OWN, "New", "Outgoing", True),
        (None, OWN, "Active", "Outgoing", False),
        (None, OWN, "Active", "outgoing", False),
        (None, OWN, "Active", "Incoming", True),
        (None, OWN, "Active", None, True),
        (OWN, None, "Active", "Incoming", True),
    ],
)
def test_inbound(
    inviter: str | None, organization: str | None, status: str, direction: str | None, expected: bool
) -> None:
    changes = {"inviteContext.invitedBy": {"organizationId": inviter}, "organizationId": organization}
    assert inbound(pairs.referral({**changes, "status": status, "direction": direction})) is expected
