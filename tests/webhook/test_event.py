"""What is read from a verified event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.webhook.event import KINDS, Event, Kind, read
from shared.webhook.policy import TrustPolicy
from tests.security import pki


def event(policy: TrustPolicy | None = None, **changes: Any) -> Event:
    return read(pki.event_body(**changes), pki.NOW, policy or pki.policy())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("referral-created", Kind.REFERRAL),
        ("referral-updated", Kind.REFERRAL),
        ("related-referral-created", Kind.RELATED),
        ("related-referral-updated", Kind.RELATED),
    ],
)
def test_events_about_referrals(name: str, kind: Kind) -> None:
    assert event(EventName=name) == Event(
        kind=kind,
        event_name=name,
        resource_name="referral",
        changed_at=pki.NOW - timedelta(seconds=19) + timedelta(microseconds=104187),
        referral_id=UUID(pki.REFERRAL),
    )


def test_test_event_needs_no_address_of_partner_center() -> None:
    found = event(EventName="test-created", ResourceName="test", ResourceUri="http://localhost:16722/v1/webhooks/test")
    assert (found.kind, found.referral_id, found.because) == (Kind.TEST, None, "")


def test_every_registered_event_has_a_kind() -> None:
    assert Kind.IGNORED not in KINDS.values()
    assert set(KINDS.values()) == {Kind.REFERRAL, Kind.RELATED, Kind.TEST}


def test_names_of_members_in_any_case() -> None:
    for spell in (str.lower, str.upper, lambda name: name[0].lower() + name[1:]):
        members = {spell(name): value for name, value in pki.event_members().items()}
        assert read(json.dumps(members).encode(), pki.NOW, pki.policy()).referral_id == UUID(pki.REFERRAL)


def test_unknown_members_are_of_no_interest() -> None:
    assert event(NewMember={"deep": [1, 2.5, None, True]}).referral_id


@pytest.mark.parametrize(
    "address",
    [
        f"https://api.partnercenter.microsoft.com/engagements/v1/referrals/{pki.REFERRAL}",
        f"https://api.partner.microsoft.com/v1.0/engagements/referrals/{pki.REFERRAL}",
        f"https://api.partnercenter.microsoft.com/engagements/v1/referrals/{pki.REFERRAL.upper()}",
        f"https://API.PartnerCenter.microsoft.com/engagements/v1/referrals/{pki.REFERRAL}",
    ],
)
def test_addresses_of_referrals(address: str) -> None:
    assert event(ResourceUri=address).referral_id == UUID(pki.REFERRAL)


def test_the_origin_can_be_configured() -> None:
    local = TrustPolicy(bundle=pki.root().pem, resource_origins=("https://localhost:8443",))
    assert event(local, ResourceUri=f"https://localhost:8443/v1/referrals/{pki.REFERRAL}").kind is Kind.REFERRAL
    assert event(local, ResourceUri=f"https://localhost:8444/v1/referrals/{pki.REFERRAL}").kind is Kind.IGNORED
    assert event(local).kind is Kind.IGNORED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T13:02:11.1041877+00:00", datetime(2026, 3, 4, 13, 2, 11, 104187, UTC)),
        ("2026-03-04T14:02:11+01:00", datetime(2026, 3, 4, 13, 2, 11, tzinfo=UTC)),
        ("2026-03-04T13:02:11Z", datetime(2026, 3, 4, 13, 2, 11, tzinfo=UTC)),
        ("2026-03-04T13:02:11.5", datetime(2026, 3, 4, 13, 2, 11, 500000, UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert event(ResourceChangeUtcDate=text).changed_at == expected


@pytest.mark.parametrize(
    ("age", "kind"),
    [
        (timedelta(days=14), Kind.REFERRAL),
        (timedelta(days=14, seconds=1), Kind.IGNORED),
        (-timedelta(minutes=10), Kind.REFERRAL),
        (-timedelta(minutes=10, seconds=1), Kind.IGNORED),
    ],
    ids=["just-young-enough", "too-old", "clock-ahead", "in-the-future"],
)
def test_age(age: timedelta, kind: Kind) -> None:
    assert event(ResourceChangeUtcDate=(pki.NOW - age).isoformat()).kind is kind
