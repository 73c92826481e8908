"""The patch of a change: which operations, what travels together, and only paths that Partner Center accepts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.mapping import PATCHABLE
from shared.domain.opportunity import Opportunity
from shared.domain.outgoing import operations, status_operations
from shared.domain.plan import merge
from shared.domain.terms import Terms
from tests.unit import pairs


def _patch(row: Opportunity, known: Terms | None = None, **referral: Any) -> list[tuple[str, str, Any]]:
    known = known or pairs.terms()
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    found = pairs.referral(referral)
    return operations(merge(base, found, row, known).to_pc, row, known, found)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"estimatedvalue": Decimal(70000)},
         [("replace", "/details/dealValue", Decimal("70000.00")), ("replace", "/details/currency", "NOK")]),
        ({"estimatedclosedate": date(2025, 8, 1)}, [("replace", "/details/closingDateTime", "2025-08-01T00:00:00Z")]),
        ({"description": "New"}, [("replace", "/details/notes", "New")]),
        ({"description": None}, [("replace", "/details/notes", "")]),
        ({"salesstage": 3}, [("replace", "/salesStage", "Close")]),
        ({"cosell_campaigncode": "X"}, [("replace", "/campaignId", "X")]),
        ({"cosell_campaigncode": None}, [("replace", "/campaignId", "")]),
        ({"name": "Other"}, []),
        ({"opportunityratingcode": 3}, []),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_one_changed_column(columns: dict[str, Any], expected: list[tuple[str, str, Any]]) -> None:
    assert _patch(pairs.opportunity(columns)) == expected


def test_value_and_currency_always_travel_together() -> None:
    changed = [("replace", "/details/dealValue", Decimal("84500.50")), ("replace", "/details/currency", "EUR")]
    assert sorted(_patch(pairs.opportunity(currency="EUR")), key=str) == sorted(changed, key=str)


def test_the_whole_list_of_solutions_is_sent() -> None:
    (operation,) = _patch(pairs.opportunity(solutions={"SOL-1": "One", "SOL-2": ""}))
    assert operation[:2] == ("replace", "/details/requirements/solutions")
    assert [tag["id"] for tag in operation[2]] == ["SOL-1", "SOL-2"]


def test_what_partner_center_knows_of_a_solution_is_kept() -> None:
    """The list is replaced as a whole; price and publisher stand only there."""
    known, path = pairs.terms(), "details.requirements.solutions"
    tag = {"id": "sol-1", "name": "One", "type": "Name", "price": 99.5, "quantity": None, "publisherName": "Fjordvik"}
    found = pairs.referral({path: [tag, {"id": "SOL-2", "name": "Two", "type": "Name"}]})
    base = pairs.in_step(found, pairs.opportunity(solutions={"SOL-1": "One", "SOL-2": "Two"}), known)
    row = pairs.opportunity(solutions={"SOL-1": "Renamed", "SOL-3": "Three"})
    ((_, _, tags),) = operations(merge(base, found, row, known).to_pc, row, known, found)
    assert tags == [
        {"id": "sol-1", "name": "One", "type": "Name", "price": 99.5, "publisherName": "Fjordvik"},
        {"id": "SOL-3", "name": "Three", "type": "Name"},
    ]


def test_a_private_deal_is_shown_to_microsofts_sellers() -> None:
    known, share = pairs.terms(), "consent.consentToShareReferralWithMicrosoftSellers"
    hidden = pairs.opportunity({"cosell_referralvisibility": None})
    base = pairs.in_step(pairs.referral({share: False}), hidden, known)
    plan = merge(base, pairs.referral({share: False}), pairs.opportunity(), known)
    path = "/consent/consentToShareReferralWithMicrosoftSellers"
    assert operations(plan.to_pc, pairs.opportunity(), known) == [("replace", path, True)]


@pytest.mark.parametrize("profile", ["extended", "parity"])
def test_only_paths_of_the_closed_list(profile: str) -> None:
    row = pairs.opportunity(
        {"name": "N", "estimatedvalue": Decimal(1), "estimatedclosedate": date(2027, 1, 1), "description": "D",
         "salesstage": 3, "cosell_campaigncode": "C", "cosell_notestomicrosoft": "M",
         "cosell_purchaseintent": 100000001,
         "cosell_solutionarea": "A", "opportunityratingcode": 2, "cosell_respondby": date(2027, 1, 1),
         "cosell_howcanmicrosofthelp": 100000001, "parentaccountid": None},
        currency="EUR", solutions={"SOL-9": "Nine"},
    )  # fmt: skip
    paths = [path for _, path, _ in _patch(row, pairs.terms(profile=profile))]
    assert len(paths) == len(set(paths)) == (7 if profile == "extended" else 4)
    assert {path.removeprefix("/").replace("/", ".") for path in paths} <= PATCHABLE - {"name"}


def test_nothing_to_send() -> None:
    assert operations((), pairs.opportunity(), pairs.terms()) == []


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (("Active", "Accepted", None), [("replace", "/status", "Active"), ("replace", "/substatus", "Accepted")]),
        (("Closed", "Lost", "Others"), [("replace", "/status", "Closed"), ("replace", "/substatus", "Lost"),
                                        ("replace", "/statusReason", "Others")]),
    ],
)  # fmt: skip
def test_status_and_substatus_together(step: tuple[str, str, str | None], expected: list[Any]) -> None:
    assert status_operations(*step) == expected
