"""Reading a referral: nothing that Partner Center answers, or that merely looks odd, may stop it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.paths import place, reach
from shared.domain.referral import Address, Referral
from tests.unit import pairs


def _read(document: dict[str, Any]) -> Referral:
    return Referral.model_validate(document)


def test_an_empty_document_is_a_referral_without_anything() -> None:
    empty = _read({})
    assert (empty.id, empty.status, empty.team, empty.details.deal_value) == ("", None, [], None)
    assert empty.customer_profile.address.city is None


def test_members_are_found_whatever_their_casing() -> None:
    found = _read({"ID": "x", "EngagementID": "e", "Details": {"DEALVALUE": 5}, "Team": [{"EMAIL": "a@b.example"}]})
    assert (found.id, found.engagement_id, found.details.deal_value) == ("x", "e", Decimal(5))
    assert found.team[0].email == "a@b.example"


def test_the_exact_spelling_wins_over_another_casing() -> None:
    assert _read({"Name": "odd", "name": "exact"}).name == "exact"
    assert _read({"name": "exact", "NAME": "odd"}).name == "exact"


def test_models_are_taken_as_they_are() -> None:
    address = Address(city="Bergen")
    assert Referral.model_validate({"customerProfile": {"address": address}}).customer_profile.address.city == "Bergen"


@pytest.mark.parametrize("document", [[], "text", 5, None])
def test_what_is_no_document_is_no_referral(document: object) -> None:
    with pytest.raises(ValidationError):
        Referral.model_validate(document)


def test_unknown_members_are_kept() -> None:
    found = _read({"id": "x", "novelty": {"a": 1}, "details": {"mood": "good"}})
    assert (found.model_extra or {})["novelty"] == {"a": 1}
    assert (found.details.model_extra or {})["mood"] == "good"


@pytest.mark.parametrize("value", [None, "", "  ", True, [], {}, ["a"], {"a": 1}])
def test_what_is_no_text_is_none(value: Any) -> None:
    assert _read({"name": value}).name is None


@pytest.mark.parametrize(("value", "text"), [(40, "40"), (1.5, "1.5"), ("a", "a"), ("\ud83d!", "\ufffd!")])
def test_text(value: Any, text: str) -> None:
    assert _read({"salesStage": value}).sales_stage == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, Decimal(1)), (84500.5, Decimal("84500.5")), ("12.30", Decimal("12.30")), (Decimal("1.005"), Decimal("1.005")),
     ("much", None), (True, None), (None, None), (float("nan"), None), ("Infinity", None), ([1], None), ({}, None)],
)  # fmt: skip
def test_numbers(value: Any, number: Decimal | None) -> None:
    assert _read({"details": {"dealValue": value}}).details.deal_value == number


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-02T09:15:30.4821937Z", datetime(2026, 3, 2, 9, 15, 30, 482193, tzinfo=UTC)),
        ("2026-03-02T09:15:30+02:00", datetime(2026, 3, 2, 7, 15, 30, tzinfo=UTC)),
        ("2026-03-02T09:15:30", datetime(2026, 3, 2, 9, 15, 30, tzinfo=UTC)),
        (" 2026-03-02 ", datetime(2026, 3, 2, tzinfo=UTC)),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("soon", None),
        ("", None),
        (5, None),
        (None, None),
    ],
    ids=lambda value: str(value),
)
def test_moments(value: Any, moment: datetime | None) -> None:
    assert _read({"updatedDateTime": value}).updated_date_time == moment


@pytest.mark.parametrize(
    ("value", "flag"), [(True, True), (False, False), ("true", True), (" FALSE ", False), ("yes", None), (1, None)]
)
def test_flags(value: Any, flag: bool | None) -> None:
    assert _read({"isSpam": value}).is_spam is flag


@pytest.mark.parametrize(
    ("value", "count"),
    [(None, 0), ({}, 0), ([], 0), ({"id": "1"}, 1), ([{"id": "1"}, {}, None, "x", 5, {"id": "2"}], 2), ("x", 0)],
    ids=lambda value: str(value),
)
def test_lists_of_objects(value: Any, count: int) -> None:
    assert len(_read({"customerProfile": {"ids": value}}).customer_profile.ids) == count


@pytest.mark.parametrize("value", [None, [], "text", 5, True])
def test_objects_that_are_none(value: Any) -> None:
    found = _read({"details": value, "customerProfile": value, "consent": value, "inviteContext": value})
    assert found.details.currency is None
    assert found.customer_profile.address.country is None


@pytest.mark.parametrize(
    ("state", "region", "expected"), [("WA", None, "WA"), (None, "Washington", "Washington"), ("WA", "West", "WA"),
                                      ("", "BC", "BC"), (None, None, None)],
)  # fmt: skip
def test_the_state_may_stand_in_region(state: str | None, region: str | None, expected: str | None) -> None:
    address = _read({"customerProfile": {"address": {"state": state, "region": region}}}).customer_profile.address
    assert address.state == expected
    assert _read({"customerProfile": {"address": {"region": "BC"}}}).customer_profile.address.state == "BC"


@pytest.mark.parametrize(
    ("document", "microsofts"),
    [
        ({"organizationId": "msft"}, True),
        ({"organizationId": "MSFT"}, True),
        ({"organizationId": "o", "target": [{"type": "BusinessProfileLocation", "id": "Msft"}]}, True),
        ({"organizationId": "o", "target": [{"type": "SolutionProfile", "id": "SOL-1"}]}, False),
        ({}, False),
    ],
)
def test_whose_record_it_is(document: dict[str, Any], microsofts: bool) -> None:
    assert _read(document).is_microsofts is microsofts


@pytest.mark.parametrize(
    ("organization", "own", "anothers"),
    [("x", "y", True), ("X", "x", False), ("x", None, False), (None, "y", False), ("msft", "y", False)],
)
def test_another_partners(organization: str | None, own: str | None, anothers: bool) -> None:
    assert _read({"organizationId": organization}).is_another_partners(own) is anothers


@pytest.mark.parametrize(
    ("status", "substatus", "closed"),
    [("Closed", "Won", True), ("closed", None, True), ("Active", "Error", True), ("New", "Pending", False),
     (None, None, False)],
)  # fmt: skip
def test_closed(status: str | None, substatus: str | None, closed: bool) -> None:
    assert _read({"status": status, "substatus": substatus}).is_closed is closed


# -- paths -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "Cold-chain analytics rollout"),
        ("details.currency", "NOK"),
        ("customerProfile.team[0].email", "ingrid.solberg@northgate.example"),
        ("customerProfile.team[1].email", None),
        ("details.requirements.additionalRequirements.attributes[CustomerMarketplaceIntent]", "HaveNotDecided"),
        ("details.requirements.additionalRequirements.attributes[customermarketplaceintent]", "HaveNotDecided"),
        ("details.requirements.additionalRequirements.attributes[SolutionPlay]", None),
        ("details.requirements.industries[0].id", "Manufacturing"),
        ("details.dealValue.amount", None),
        ("nothing.at.all", None),
        ("name[0]", None),
        ("links.self.method", "GET"),
        ("LINKS.SELF.Method", "GET"),
    ],
)
def test_reach(path: str, value: Any) -> None:
    assert reach(pairs.referral(), path) == value


def test_place() -> None:
    made: dict[str, Any] = {}
    place(made, "details.requirements.attributes[SolutionArea]", "Security")
    place(made, "details.requirements.attributes[SolutionPlay]", "Defend")
    place(made, "details.dealValue", 5)
    place(made, "name", "Deal")
    assert made == {
        "details": {
            "requirements": {
                "attributes": [{"type": "SolutionArea", "id": "Security"}, {"type": "SolutionPlay", "id": "Defend"}]
            },
            "dealValue": 5,
        },
        "name": "Deal",
    }
