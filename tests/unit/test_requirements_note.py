"""The note of what a deal asks for: every list and text it takes up, in its order, and what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import requirements
from tests.unit import pairs

OURS = {"invitedBy": {"organizationId": pairs.ORGANIZATION_ID}}
THEIRS = {"invitedBy": {"organizationId": "msft", "organizationName": "Microsoft"}}
NOTHING: dict[str, Any] = {
    "details.requirements": {}, "details.customerAction": None, "inviteContext": OURS,
}  # fmt: skip


def note(**changes: Any) -> str | None:
    given = {**NOTHING, **{name.replace("__", "."): value for name, value in changes.items()}}
    return requirements.note(pairs.referral(given), pairs.terms())


def test_nothing_asked_is_no_note() -> None:
    assert note() is None


def test_lists_then_attributes_then_texts_then_the_senders_words() -> None:
    asked = {
        "industries": [{"id": "Retail"}, {"id": "x", "name": "Health"}],
        "products": ["Azure"],
        "services": [{"id": "Migration"}],
        "offers": [{"name": "Offer"}, {}],
        "salesPlays": [{"id": "Play"}],
        "additionalRequirements": {"attributes": [
            {"type": "Budget", "id": "Approved"}, {"type": "SolutionArea", "id": "Security"}, {"type": "Empty"},
            {"id": "Alone"},
        ]},
    }  # fmt: skip
    found = note(
        details__requirements=asked, details__customerAction="Call", details__incentiveLevel="High",
        inviteContext={**THEIRS, "notes": "Please hurry."},
    )  # fmt: skip
    assert found == (
        "Industries: Retail, Health\nProducts: Azure\nServices: Migration\nOffers: Offer\nSales plays: Play\n"
        "Budget: Approved\nCustomer action: Call\nIncentive level: High\nNote from Microsoft: Please hurry."
    )


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({**OURS, "notes": "Our own words."}, None),
        ({**THEIRS, "notes": None}, None),
        ({"invitedBy": {"organizationId": "msft"}, "notes": "Hurry."}, "Note from the sender: Hurry."),
    ],
)
def test_only_the_senders_words_are_noted(context: dict[str, Any], words: str | None) -> None:
    assert note(inviteContext=context) == words


def test_a_note_is_cut_where_dataverse_ends_it() -> None:
    found = note(details__customerAction="x" * 30_000)
    assert found == "Customer action: " + "x" * (20_000 - len("Customer action: "))


def test_lists_that_are_none_are_left_out() -> None:
    assert note(details__requirements={"industries": "Retail", "products": None}) is None
