"""The status table: every word of Partner Center × every state of the CRM × what both were when they last agreed."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.sentences import outcome
from shared.domain.state import SyncState
from shared.domain.status import (
    TERMINAL,
    Closing,
    Decision,
    close_reason,
    decide,
    late_edit,
)
from tests.unit import pairs

WORDS = {
    "new": ("New", "Pending"),
    "active": ("Active", "Accepted"),
    "won": ("Closed", "Won"),
    "lost": ("Closed", "Lost"),
    "declined": ("Closed", "Declined"),
    "expired": ("Closed", "Expired"),
    "error": ("Closed", "Error"),
    "unknown": ("Engaged", "Maybe"),
}
ROWS = {"hold": (0, 2), "open": (0, 1), "won": (1, 3), "lost": (2, 4)}
LEGAL = {
    "new": (("Active", "Accepted"), ("Closed", "Declined")),
    "active": (("Closed", "Won"), ("Closed", "Lost")),
}
"""The pairs that may ever be sent, by where the referral stands (I6)."""


def _referral(word: str, reason: str | None = None) -> Referral:
    status, substatus = WORDS[word]
    return pairs.referral({"status": status, "substatus": substatus, "statusReason": reason})


def _row(word: str, **columns: Any) -> Opportunity:
    statecode, statuscode = ROWS[word]
    return pairs.opportunity({"statecode": statecode, "statuscode": statuscode, **columns})


def _decide(
    pc: str, crm: str, *, base: tuple[str | None, str | None] = (None, None), reason: str | None = None, **state: Any
) -> Decision:
    """The decision when the grace period of a closing is over, unless `terminal_since` says otherwise."""
    remembered = {"terminal_since": pairs.NOW - timedelta(hours=1), **state}
    known = SyncState(status_pc=base[0], status_crm=base[1], **remembered)
    return decide(known, _referral(pc, reason), _row(crm), pairs.terms(), pairs.NOW)


# -- the whole table -------------------------------------------------------------------------------------------------
BASES = [
    (None, None),
    *itertools.product(("new", "active", "won", "lost", "declined", "expired", "error", "unknown"), ROWS),
]


@pytest.mark.parametrize("outbound", [False, True], ids=["inbound", "outbound"])
@pytest.mark.parametrize("crm", ROWS)
@pytest.mark.parametrize("pc", WORDS)
def test_only_legal_pairs_are_ever_sent(pc: str, crm: str, outbound: bool) -> None:
    for base in BASES:
        decision = _decide(pc, crm, base=base, outbound=outbound)
        at = pc
        for status, substatus, reason in decision.send:
            assert (status, substatus) in LEGAL[at], (base, decision)
            assert (reason is not None) == (substatus in ("Lost", "Declined")), "a reason with every loss"
            at = "active" if status == "Active" else "closed"
        assert not (decision.send and decision.frozen)
        assert not (decision.closing and decision.crm_reason)
        assert decision.frozen == (pc in TERMINAL)
        if pc == "unknown":
            assert decision == Decision(pc, crm, notes=decision.notes), "nothing is changed for a word nobody knows"


@pytest.mark.parametrize(
    ("crm", "base", "send", "held"),
    [
        ("hold", (None, None), (), True),
        ("hold", ("new", "hold"), (), True),
        ("hold", ("new", "open"), (), True),
        ("open", ("new", "hold"), (("Active", "Accepted", None),), False),
        ("open", (None, None), (("Active", "Accepted", None),), False),
        ("open", ("new", "open"), (), True),
        ("won", ("new", "hold"), (("Active", "Accepted", None), ("Closed", "Won", None)), False),
        ("won", (None, None), (("Active", "Accepted", None), ("Closed", "Won", None)), False),
        ("lost", ("new", "hold"), (("Closed", "Declined", "Others"),), True),
        ("lost", ("new", "open"), (("Closed", "Declined", "Others"),), True),
    ],
)
def test_an_inbound_deal_awaits_the_seller(
    crm: str, base: tuple[str | None, str | None], send: tuple[Any, ...], held: bool
) -> None:
    decision = _decide("new", crm, base=base)
    assert (decision.send, decision.held, decision.wait_s) == (send, held, None)
    assert (decision.closing, decision.crm_reason, decision.problem, decision.notes) == (None, None, None, ())


@pytest.mark.parametrize("crm", ROWS)
def test_our_own_new_deal_is_left_alone(crm: str) -> None:
    """Partner Center makes it Active a moment later by itself."""
    assert _decide("new", crm, outbound=True) == Decision("new", crm)


@pytest.mark.parametrize(
    ("crm", "base", "send", "crm_reason"),
    [
        ("open", ("active", "open"), (), None),
        ("open", ("active", "hold"), (), None),
        ("open", ("new", "hold"), (), None),
        ("hold", ("new", "hold"), (), 1),
        ("hold", ("active", "hold"), (), None),
        ("hold", ("active", "open"), (), None),
        ("hold", (None, None), (), None),
        ("won", ("active", "open"), (("Closed", "Won", None),), None),
        ("lost", ("active", "open"), (("Closed", "Lost", "Others"),), None),
        ("won", (None, None), (("Closed", "Won", None),), None),
    ],
)
def test_an_accepted_deal(
    crm: str, base: tuple[str | None, str | None], send: tuple[Any, ...], crm_reason: int | None
) -> None:
    assert _decide("active", crm, base=base) == Decision("active", crm, send=send, crm_reason=crm_reason)


CLOSINGS = {
    "won": Closing(True, 3, outcome("won_there")),
    "lost": Closing(False, 4, outcome("lost_there")),
    "declined": Closing(False, 4, outcome("declined_there")),
    "expired": Closing(False, 4, outcome("expired_there")),
    "error": Closing(False, 4, outcome("error_there")),
}


@pytest.mark.parametrize("base", [(None, None), ("active", "open"), ("new", "hold"), ("active", "hold")])
@pytest.mark.parametrize("crm", ["open", "hold"])
@pytest.mark.parametrize("pc", TERMINAL)
def test_an_ending_at_partner_center_closes_the_opportunity(
    pc: str, crm: str, base: tuple[str | None, str | None]
) -> None:
    decision = _decide(pc, crm, base=base)
    assert decision.closing == CLOSINGS[pc]
    assert decision.frozen
    moved = base[1] not in (None, crm)
    assert [note.code for note in decision.notes] == (["CONFLICT_TERMINAL"] if moved else [])


@pytest.mark.parametrize(
    ("pc", "reason", "status"),
    [
        ("lost", "Customer chose another vendor", 5),
        ("lost", "ANOTHER VENDOR", 5),
        ("lost", "Budget not sufficient", 4),
        ("declined", "Customer chose another vendor", 4),
    ],
)
def test_the_reason_decides_between_canceled_and_out_sold(pc: str, reason: str, status: int) -> None:
    closing = _decide(pc, "open", base=("active", "open"), reason=reason).closing
    assert closing is not None
    assert (closing.status, closing.reason) == (status, reason)


@pytest.mark.parametrize(("pc", "crm"), [*itertools.product(TERMINAL, ("won", "lost"))])
def test_both_sides_closed(pc: str, crm: str) -> None:
    contradiction = (pc == "won") != (crm == "won")
    first = _decide(pc, crm, base=("active", "open"))
    assert [note.code for note in first.notes] == (["CONFLICT_TERMINAL"] if contradiction else [])
    assert _decide(pc, crm, base=(pc, crm)) == Decision(pc, crm, frozen=True), "said once"
    assert not first.send
    assert first.closing is None


@pytest.mark.parametrize("crm", ["open", "hold"])
@pytest.mark.parametrize("pc", TERMINAL)
def test_a_reopened_deal_stays_open_and_is_reported(pc: str, crm: str) -> None:
    for before in ("won", "lost"):
        decision = _decide(pc, crm, base=(pc, before))
        assert decision.problem is not None
        assert decision.problem.code == "DEAL_TERMINAL"
        assert (decision.closing, decision.send, decision.frozen) == (None, (), True)
    assert _decide(pc, crm, base=(pc, crm)) == Decision(pc, crm, frozen=True), "reported once, and never closed again"


@pytest.mark.parametrize(
    ("hours", "solution", "warned"),
    [(71.9, "SOL-1", True), (72, "SOL-1", False), (1, "Dynamics365forSales", False), (None, "SOL-1", False)],
)
@pytest.mark.parametrize(("pc", "crm"), [("new", "won"), ("active", "won"), ("active", "lost")])
def test_a_deal_won_too_early_for_its_registration(
    pc: str, crm: str, hours: float | None, solution: str, warned: bool
) -> None:
    created = None if hours is None else (pairs.NOW - timedelta(hours=hours)).isoformat()
    status, substatus = WORDS[pc]
    found = pairs.referral(
        {"status": status, "substatus": substatus, "createdDateTime": created,
         "details.requirements.solutions": [{"id": solution}]}
    )  # fmt: skip
    state = SyncState(status_pc=pc, status_crm="open", terminal_since=pairs.NOW - timedelta(hours=1))
    decision = decide(state, found, _row(crm), pairs.terms(), pairs.NOW)
    assert decision.send, "it is sent all the same"
    assert [note.code for note in decision.notes] == (["WON_BEFORE_72H"] if warned and crm == "won" else [])


def test_an_unknown_status_is_noted_once() -> None:
    (note,) = _decide("unknown", "open", base=("active", "open")).notes
    assert note.code == "STATUS_UNKNOWN"
    assert "Engaged/Maybe" in note.sentence
    assert _decide("unknown", "open", base=("unknown", "open")).notes == ()


# -- grace -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("pc", "crm"), [*itertools.product(("new", "active"), ("won", "lost"))])
@pytest.mark.parametrize(
    ("since_s", "wait_s"),
    [(None, 600), (0, 600), (1, 599), (599, 1), (600, None), (86_400, None), (-60, 660)],
    ids=["first seen now", "0 s", "1 s", "599 s", "600 s", "a day", "clock went back"],
)
def test_won_and_lost_wait_for_the_grace_period(pc: str, crm: str, since_s: int | None, wait_s: float | None) -> None:
    since = None if since_s is None else pairs.NOW - timedelta(seconds=since_s)
    decision = _decide(pc, crm, base=(pc, "open"), terminal_since=since)
    assert decision.wait_s == wait_s
    assert bool(decision.send) is (wait_s is None)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(
    ("pc", "crm", "base", "held"),
    [
        pytest.param("new", "won", ("new", "hold"), True, id="won before it was accepted"),
        pytest.param("active", "lost", ("active", "open"), False, id="lost here"),
        pytest.param("won", "open", ("active", "open"), False, id="won there"),
    ],
)
def test_a_closing_that_is_held_is_told_of_once_and_the_rest_goes_on(
    pc: str, crm: str, base: tuple[str, str], held: bool, told: bool
) -> None:
    decided = _decide(pc, crm, base=base)
    assert decided.send or decided.closing
    waiting = decided.without_closing(told=told)
    assert [note.code for note in waiting.notes] == ([] if told else ["BRAKE_CLOSINGS"])
    assert waiting == Decision(pc, crm, held=held, frozen=decided.frozen, braked=True, notes=waiting.notes)


def test_no_grace_no_wait() -> None:
    known = pairs.terms(terminal_grace_s=0)
    decision = decide(SyncState(status_pc="active"), _referral("active"), _row("won"), known, pairs.NOW)
    assert decision.send == (("Closed", "Won", None),)


@pytest.mark.parametrize("pc", TERMINAL)
def test_an_ending_at_partner_center_waits_for_nobody(pc: str) -> None:
    assert _decide(pc, "open", base=("active", "open"), terminal_since=None).wait_s is None


# -- reasons -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("option", "statuscode", "reason"),
    [
        (100000001, 4, "Budget not sufficient"),
        (100000002, 5, "Customer did not respond"),
        (None, 5, "Customer chose another vendor"),
        (None, 4, "Others"),
        (424242, 4, "Others"),
        (424242, 5, "Customer chose another vendor"),
    ],
)
def test_the_reason_of_a_loss(option: int | None, statuscode: int, reason: str) -> None:
    row = pairs.opportunity({"cosell_closereason": option, "statecode": 2, "statuscode": statuscode})
    assert close_reason(row, pairs.terms()) == reason


def test_a_late_edit_is_the_same_news_as_a_reopened_deal() -> None:
    assert late_edit() == _decide("won", "open", base=("won", "won")).problem
