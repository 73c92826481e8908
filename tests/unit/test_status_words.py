"""The words of the status table: what a referral's status and an opportunity's state are called in it."""

from __future__ import annotations

import pytest

from shared.domain.status import of_opportunity, of_referral
from shared.domain.terms import Statuses
from tests.unit import pairs


@pytest.mark.parametrize(
    ("status", "substatus", "word"),
    [
        ("New", "Pending", "new"),
        ("New", "Received", "new"),
        ("NEW", "pending", "new"),
        ("Active", "Accepted", "active"),
        ("Closed", "Won", "won"),
        ("closed", "LOST", "lost"),
        ("Closed", "Declined", "declined"),
        ("Closed", "Expired", "expired"),
        ("Closed", "Error", "error"),
        ("Active", "Error", "error"),
        ("Closed", None, "lost"),
        ("Closed", "Invented", "lost"),
        ("None", "None", "unknown"),
        (None, None, "unknown"),
        ("Engaged", "Accepted", "unknown"),
    ],
)
def test_words_of_a_referral(status: str | None, substatus: str | None, word: str) -> None:
    assert of_referral(pairs.referral({"status": status, "substatus": substatus})) == word


@pytest.mark.parametrize(
    ("statecode", "statuscode", "word"),
    [(0, 1, "open"), (0, 2, "hold"), (0, 100000007, "open"), (1, 3, "won"), (2, 4, "lost"), (2, 5, "lost"),
     (None, None, "open")],
)  # fmt: skip
def test_words_of_an_opportunity(statecode: int | None, statuscode: int | None, word: str) -> None:
    row = pairs.opportunity({"statecode": statecode, "statuscode": statuscode})
    assert of_opportunity(row, pairs.terms()) == word


def test_status_reasons_are_the_settings() -> None:
    known = pairs.terms(statuses=Statuses(on_hold=700, active=701, won=702, declined=703, out_sold=704))
    assert of_opportunity(pairs.opportunity({"statuscode": 700}), known) == "hold"
    assert of_opportunity(pairs.opportunity({"statuscode": 2}), known) == "open"
