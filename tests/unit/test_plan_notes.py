"""Notes in the merge: joined when both sides wrote, never sent back shortened, remembered whole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.domain import texts
from shared.domain.changes import announced
from shared.domain.opportunity import Opportunity
from shared.domain.plan import Change, Plan, merge, settled
from shared.domain.state import SyncState
from shared.domain.terms import Terms
from tests.unit import pairs


def _merge(
    pc: dict[str, Any] | None, row: Opportunity | dict[str, Any] | None, known: Terms | None = None, **state: Any
) -> Plan:
    """The plan for changes at both sides of a pair in step."""
    known = known or pairs.terms()
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known).but(**state)
    changed = row if isinstance(row, Opportunity) else pairs.opportunity(row)
    return merge(base, pairs.referral(pc), changed, known)


def _values(changes: tuple[Change, ...]) -> dict[str, Any]:
    return {change.row.field: change.new for change in changes}


LONG = " ".join(f"Sentence {n} of a long story." for n in range(450))
assert len(LONG) > 12_000


def _shortened(known: Terms) -> tuple[SyncState, str]:
    """A pair whose CRM holds only the beginning of Partner Center's notes, and that beginning."""
    held = texts.cut(LONG, 2000, texts.CONTINUED)
    base = pairs.in_step(pairs.referral({"details.notes": LONG}), pairs.opportunity({"description": held}), known)
    return base, held


def test_long_notes_arrive_shortened() -> None:
    (change,) = _merge({"details.notes": LONG}, None).to_crm
    assert isinstance(change.new, str)
    assert len(change.new) <= 2000
    assert change.new.endswith(texts.CONTINUED)
    assert LONG.startswith(change.new.removesuffix(texts.CONTINUED).rstrip())


def test_shortened_notes_are_no_change() -> None:
    known = pairs.terms()
    base, held = _shortened(known)
    found, row = pairs.referral({"details.notes": LONG}), pairs.opportunity({"description": held})
    assert merge(base, found, row, known) == Plan()
    assert merge(SyncState(), found, row, known).agreed["notes"] == (LONG, held), "nor without a base"


def test_a_column_that_holds_more_than_it_says_is_left_alone() -> None:
    plan = _merge({"details.notes": LONG}, {"description": LONG})
    assert (plan.to_crm, plan.to_pc, plan.agreed) == ((), (), {"notes": (LONG, LONG)})


def test_an_addition_to_shortened_notes_is_appended_to_the_whole_text() -> None:
    known = pairs.terms()
    base, held = _shortened(known)
    row = pairs.opportunity({"description": f"{held}\nCalled again on Monday."})
    (change,) = merge(base, pairs.referral({"details.notes": LONG}), row, known).to_pc
    assert change.new == f"{LONG}\n\nCalled again on Monday."


def test_a_second_addition_does_not_repeat_the_first() -> None:
    known = pairs.terms()
    whole = f"{LONG}\n\nCalled on Monday."
    once = f"{texts.cut(LONG, 2000, texts.CONTINUED)}\nCalled on Monday."
    base = pairs.in_step(pairs.referral({"details.notes": whole}), pairs.opportunity({"description": once}), known)
    row = pairs.opportunity({"description": f"{once} They agree."})
    (change,) = merge(base, pairs.referral({"details.notes": whole}), row, known).to_pc
    assert change.new == f"{whole}\n\nThey agree."


def test_rewritten_shortened_notes_are_appended_whole() -> None:
    known = pairs.terms()
    base, _ = _shortened(known)
    row = pairs.opportunity({"description": f"All is different now. {texts.CONTINUED}"})
    (change,) = merge(base, pairs.referral({"details.notes": LONG}), row, known).to_pc
    assert change.new == f"{LONG}\n\nAll is different now."


def test_cutting_more_off_shortened_notes_sends_nothing() -> None:
    known = pairs.terms()
    base, held = _shortened(known)
    row = pairs.opportunity({"description": held.removesuffix(texts.CONTINUED).rstrip()})
    plan = merge(base, pairs.referral({"details.notes": LONG}), row, known)
    assert not plan.to_pc
    assert plan.agreed["notes"][0] == LONG


def test_emptied_shortened_notes_are_emptied_at_partner_center() -> None:
    known = pairs.terms()
    base, _ = _shortened(known)
    (change,) = merge(
        base, pairs.referral({"details.notes": LONG}), pairs.opportunity({"description": None}), known
    ).to_pc
    assert change.new is None


@pytest.mark.parametrize("policy", ["latest", "pc", "crm", "manual"])
@pytest.mark.parametrize(
    ("pc", "crm", "to_crm", "to_pc"),
    [
        ("From Oslo.", "From Bergen.", "From Oslo.\n\nFrom Bergen.", "From Oslo.\n\nFrom Bergen."),
        ("A and B.", "B.", "A and B.", None),
        ("B.", "A and B.", None, "A and B."),
    ],
    ids=["joined", "partner center contains it", "the crm contains it"],
)
def test_notes_of_both_sides_are_joined(policy: str, pc: str, crm: str, to_crm: str | None, to_pc: str | None) -> None:
    plan = _merge({"details.notes": pc}, {"description": crm}, pairs.terms(conflict=policy))
    assert _values(plan.to_crm) == ({"notes": to_crm} if to_crm else {})
    assert _values(plan.to_pc) == ({"notes": to_pc} if to_pc else {})
    for change in plan.to_crm + plan.to_pc:
        assert change.conflict
        assert change.settles is (to_crm is None or to_pc is None), "one half alone is not yet agreement"


def test_joined_notes_that_do_not_fit_go_to_partner_center_first() -> None:
    """Nothing of the seller's text may be cut before Partner Center has it."""
    known = pairs.terms()
    mine = "My own words. " * 100
    plan = _merge({"details.notes": LONG}, {"description": mine}, known)
    assert not plan.to_crm
    (change,) = plan.to_pc
    assert change.new == f"{LONG}\n\n{mine.strip()}"
    assert not change.settles
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    after = merge(base, pairs.referral({"details.notes": change.new}), pairs.opportunity({"description": mine}), known)
    assert not after.to_pc
    (back,) = after.to_crm
    assert back.settles
    assert isinstance(back.new, str)
    assert back.new.endswith(texts.CONTINUED)


def test_shortened_notes_changed_on_both_sides_do_not_grow_for_ever() -> None:
    known = pairs.terms()
    base, held = _shortened(known)
    whole, row = f"{LONG} More.", pairs.opportunity({"description": f"Mine: {held}"})
    for _ in range(5):
        plan = merge(base, pairs.referral({"details.notes": whole}), row, known)
        if not plan.to_pc:
            break
        whole = str(plan.to_pc[0].new)
    (change,) = plan.to_crm
    assert change.settles
    assert texts.CONTINUED not in whole
    assert whole.count("Mine:") == 1


# -- what was written ----------------------------------------------------------------------------------------------
def test_settled_remembers_both_values() -> None:
    known = pairs.terms()
    found, row = pairs.referral({"details.notes": LONG}), pairs.opportunity()
    plan = _merge({"details.notes": LONG}, None)
    after = settled(SyncState(), plan.to_crm, found, row, known, side="crm")
    held = texts.cut(LONG, 2000, texts.CONTINUED)
    assert merge(pairs.in_step(pairs.referral(), row, known).with_seen({}).but(seen={
        **pairs.in_step(pairs.referral(), row, known).seen, **after.seen}), found,
        pairs.opportunity({"description": held}), known) == Plan()  # fmt: skip


def test_settled_towards_partner_center_takes_the_referral_as_it_came_back() -> None:
    known = pairs.terms()
    row = pairs.opportunity({"estimatedvalue": Decimal("9.999")})
    plan = _merge(None, {"estimatedvalue": Decimal("9.999")})
    after = settled(SyncState(), plan.to_pc, pairs.referral({"details.dealValue": 10}), row, known, side="pc")
    assert after.seen["deal_value"].pc == '"10.00"'
    assert after.seen["deal_value"].crm == '"10.00"'


def test_half_a_join_settles_nothing() -> None:
    plan = _merge({"details.notes": "A"}, {"description": "B"})
    found, row = pairs.referral({"details.notes": "A"}), pairs.opportunity({"description": "B"})
    assert settled(SyncState(), plan.to_crm, found, row, pairs.terms(), side="crm").seen == {}
    assert settled(SyncState(), plan.to_pc, found, row, pairs.terms(), side="pc").seen == {}


def test_remembered_values_come_back_readable() -> None:
    """What the audit shows as the old value of a confirmed change."""
    known = pairs.terms()
    solutions = [{"id": "SOL-9", "name": "Nine", "type": "Name"}]
    plan = _merge(
        {"details.requirements.solutions": solutions, "details.notes": LONG},
        pairs.opportunity({"description": LONG[:1990]}, solutions={"SOL-9": "Nine"}), known,
    )  # fmt: skip
    olds = {change.row.field: change.old for change in plan.confirmed}
    assert olds["solutions"] == ("SOL-70412-KQX",)
    base, held = _shortened(known)
    again = merge(base, pairs.referral({"details.notes": held}), pairs.opportunity({"description": held}), known)
    assert [change.old for change in again.confirmed] == [None], "a long text is only known by its hash"


def test_an_announced_addition_that_arrived_is_agreed_although_the_texts_differ() -> None:
    known = pairs.terms()
    base, held = _shortened(known)
    row = pairs.opportunity({"description": f"{held}\nCalled again."})
    plan = merge(base, pairs.referral({"details.notes": LONG}), row, known)
    whole = f"{LONG}\n\nCalled again."
    after = merge(announced(base, plan.to_pc, row, known), pairs.referral({"details.notes": whole}), row, known)
    assert (after.to_crm, after.to_pc) == ((), ())
    assert after.agreed["notes"] == (whole, f"{held}\nCalled again.")
