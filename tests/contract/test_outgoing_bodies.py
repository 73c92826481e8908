"""Every body the connector sends to Partner Center is one the vendor's own contract describes.

The contract suites check each body that the real client sends (`Cloud.http`); here the bodies come from the domain,
for every kind of deal and every field of the mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import jsonschema
import pytest

from shared.domain import outgoing
from shared.domain.plan import Change
from shared.domain.rules import RULES
from tests.contract import published_bodies
from tests.contract.deals import deal
from tests.unit import pairs

pytestmark = pytest.mark.skipif(
    not published_bodies.available(),
    reason="the vendor's OpenAPI file is not beside the checkout (../shared/contracts)",
)

DEALS: Mapping[str, dict[str, Any]] = {
    "co-sell": {},
    "private": {"columns": {"cosell_howcanmicrosofthelp": None, "cosell_referralvisibility": 100000000}},
    "partner-led": {"columns": {"cosell_howcanmicrosofthelp": None}},
    "many solutions": {"solutions": {"SOL-1-A": "One", "SOL-2-B": "", "BigData": "Big data"}},
    "in yen": {"currency": "JPY", "columns": {"estimatedvalue": Decimal(12_000_000)}},
    "no contact": {"contact": None},
    "bare account": {"account": {"name": "X", "address1_country": "DE"}},
    "odd words": {"columns": {"name": "✔ Ünï\u2028‘code’ 🏢", "description": "a\nb\t\\ \" '"}},
}


@pytest.mark.parametrize("kind", DEALS)
def test_both_bodies_of_a_new_deal(kind: str) -> None:
    opportunity, terms = pairs.opportunity(**DEALS[kind]), pairs.terms()
    published_bodies.check("POST", outgoing.own_body(opportunity, terms))
    published_bodies.check("POST", outgoing.microsoft_body(opportunity, pairs.referral(), terms))


@pytest.mark.parametrize("profile", ["extended", "parity"])
def test_a_change_of_every_field(profile: Literal["extended", "parity"]) -> None:
    opportunity, terms = pairs.opportunity(), pairs.terms(profile=profile)
    rows = [row for row in terms.mapping.opportunity if row.outbound("update", profile)]
    assert rows
    for row in rows:
        value = RULES[row.rule].from_opportunity(opportunity, row, terms)
        operations = outgoing.operations([Change(row, None, value)], opportunity, terms)
        assert operations
        published_bodies.check("PATCH", [{"op": op, "path": path, "value": value} for op, path, value in operations])


@pytest.mark.parametrize(
    "status",
    [("Active", "Accepted", None), ("Closed", "Won", None), ("Closed", "Declined", "Customer did not respond")],
)
def test_a_change_of_status(status: tuple[str, str, str | None]) -> None:
    operations = outgoing.status_operations(*status)
    published_bodies.check("PATCH", [{"op": op, "path": path, "value": value} for op, path, value in operations])


@pytest.mark.parametrize(
    ("change", "method"),
    [
        ({"name": 7}, "POST"),
        ({"details": {"dealValue": "much"}}, "POST"),
        ({"surprise": 1}, "POST"),
        ({"customerProfile": {"Name": "wrong case"}}, "POST"),
        ({"team": {}}, "POST"),
    ],
)
def test_the_check_can_fail(change: dict[str, Any], method: str) -> None:
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        published_bodies.check(method, deal(**change))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/details/notes", "value": None},
        {"op": "replace", "path": "/organizationId", "value": "x"},
        {"op": "replace", "path": "/details/notes"},
        {"op": "replace", "path": "/details/dealValue", "value": "much"},
        {"op": "add", "path": "/team/-", "value": "Aksel"},
        {"op": "replace", "path": "/details/closingDateTime", "value": date(2026, 1, 1).year},
    ],
)
def test_the_check_of_changes_can_fail(operation: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        published_bodies.check("PATCH", [operation])


def test_values_of_every_type_pass() -> None:
    moment = datetime(2026, 6, 30, tzinfo=UTC)
    for path, value in {
        "/details/closingDateTime": moment,
        "/details/dealValue": Decimal("0.10"),
        "/consent/consentToShareReferralWithMicrosoftSellers": True,
        "/team/-": {"firstName": "Aksel"},
        "/details/notes": None,
    }.items():
        published_bodies.check("PATCH", [{"op": "replace", "path": path, "value": value}])
