"""One deal read from either side, and when the two agree: tables, without any process."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.deals import compare, from_dynamics_365, from_partner_center
from sandbox.overview import Overview

REFERRAL: dict[str, Any] = {
    "id": "r1",
    "engagementId": "e1",
    "externalReferenceId": "o1",
    "organizationId": "own",
    "name": "Rollout",
    "status": "Active",
    "substatus": "Accepted",
    "customerProfile": {"name": "Contoso"},
    "details": {
        "dealValue": 65000,
        "currency": "USD",
        "closingDateTime": "2027-06-30T00:00:00Z",
        "notes": "Two sites.\nThen more.",
        "requirements": {"solutions": [{"id": "SOL-2"}, {"id": "SOL-1"}]},
    },
}
MICROSOFTS = {**REFERRAL, "id": "m1", "organizationId": "msft", "trackingInfo": {"microsoftMsxId": "7-X"}}
OPPORTUNITY: dict[str, Any] = {
    "opportunityid": "o1",
    "cosell_referralidentifier": "r1",
    "name": "✔ Rollout",
    "statecode": 0,
    "statuscode": 1,
    "estimatedvalue": 65000.0,
    "estimatedclosedate": "2027-06-30",
    "description": "Two sites.\r\nThen more.",
    "cosell_microsoftcrmidentifier": "7-X",
}


def differing(referral: dict[str, Any], opportunity: dict[str, Any], **names: Any) -> list[str]:
    read = {"customer": "Contoso", "currency": "USD", "solutions": ["SOL-1", "SOL-2"], **names}
    rows = compare(from_partner_center(referral, [referral, MICROSOFTS]), from_dynamics_365(opportunity, **read))
    return [row.label for row in rows if not row.agree]


def test_the_same_deal_agrees_whatever_its_mark_line_ends_and_order() -> None:
    assert differing(REFERRAL, OPPORTUNITY) == []


@pytest.mark.parametrize(
    ("changes", "names", "labels"),
    [
        ({"name": "✖ Roll-out"}, {}, ["Deal name"]),
        ({"estimatedvalue": 65000.01}, {}, ["Deal value"]),
        ({"estimatedvalue": None}, {}, ["Deal value"]),
        ({}, {"currency": "EUR"}, ["Deal value"]),
        ({"estimatedclosedate": "2027-07-01"}, {}, ["Closing date"]),
        ({"description": None}, {}, ["Notes"]),
        ({"statuscode": 2}, {}, ["State"]),
        ({"statecode": 1, "statuscode": 3}, {}, ["State"]),
        ({}, {"customer": "Fabrikam"}, ["Customer"]),
        ({}, {"solutions": ["SOL-1"]}, ["Solutions"]),
        ({"cosell_microsoftcrmidentifier": None}, {}, ["Microsoft CRM id"]),
        ({"cosell_referralidentifier": "r2"}, {}, ["Referral id"]),
        ({"opportunityid": "o2"}, {}, ["Opportunity id"]),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], names: dict[str, Any], labels: list[str]) -> None:
    assert differing(REFERRAL, {**OPPORTUNITY, **changes}, **names) == labels


@pytest.mark.parametrize(
    ("status", "substatus", "statecode", "statuscode"),
    [
        ("New", "Pending", 0, 2),
        ("Active", "Accepted", 0, 1),
        ("Closed", "Won", 1, 3),
        ("Closed", "Lost", 2, 5),
        ("Closed", "Declined", 2, 4),
        ("Closed", "Expired", 2, 4),
    ],
)
def test_states_that_mean_the_same_agree(status: str, substatus: str, statecode: int, statuscode: int) -> None:
    referral = {**REFERRAL, "status": status, "substatus": substatus}
    assert differing(referral, {**OPPORTUNITY, "statecode": statecode, "statuscode": statuscode}) == []


def test_a_deal_without_details_can_be_shown() -> None:
    deal = from_partner_center({"id": "r1", "details": None})
    assert (deal.value, deal.closing_date, deal.notes, deal.solutions, deal.state) == ("", "", "", (), "waiting")


def test_a_deal_alone_has_nothing_to_compare_with() -> None:
    alone = Overview([], [from_dynamics_365(OPPORTUNITY, customer="", currency="USD", solutions=[])], {})
    with pytest.raises(LookupError, match="no counterpart"):
        alone.comparison("o1")
