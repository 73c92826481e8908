"""The fields of the merge that have rules of their own: name, customer, visibility, help, notes; and blanks."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain import texts
from shared.domain.opportunity import Opportunity
from shared.domain.plan import Change, Plan, merge, settled
from shared.domain.row import Lookup
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


def _codes(plan: Plan) -> list[str]:
    return [note.code for note in (*plan.notes, *plan.problems, *plan.inbound_problems)]


# -- name and customer -------------------------------------------------------------------------------------------------
def test_a_new_name_in_the_crm_is_noted_once_and_stays() -> None:
    plan = _merge(None, {"name": "✔ Warm-chain analytics"})
    assert _codes(plan) == ["NAME_NOT_UPDATABLE"]
    assert not plan.to_pc
    assert not plan.to_crm
    assert plan.agreed["name"] == ("Cold-chain analytics rollout", "Warm-chain analytics")


@pytest.mark.parametrize("mark", ["", "✔ ", "✖ ", "✅", "❌ ✔ "])
def test_marks_are_no_change_of_the_name(mark: str) -> None:
    assert _merge(None, {"name": f"{mark}Cold-chain  analytics rollout "}) == Plan()


def test_a_new_name_is_sent_where_the_settings_say_so() -> None:
    plan = _merge(None, {"name": "✔ Warm-chain analytics"}, pairs.terms(patch_name=True))
    assert _values(plan.to_pc) == {"name": "Warm-chain analytics"}
    assert not plan.notes


def test_an_emptied_name_is_never_sent() -> None:
    plan = _merge(None, {"name": "✔ "}, pairs.terms(patch_name=True))
    assert not plan.to_pc
    assert not _codes(plan)


def test_a_new_name_at_partner_center_stays_there() -> None:
    assert _merge({"name": "Other"}, None) == Plan()


def test_another_customer_is_noted_and_stays() -> None:
    other = {"parentaccountid": Lookup("account", "99999999-0000-4000-8000-000000000000")}
    plan = _merge(None, other)
    assert _codes(plan) == ["CUSTOMER_READONLY"]
    assert not plan.to_pc
    assert plan.agreed["customer"] == (None, "99999999-0000-4000-8000-000000000000")


# -- visibility and help -----------------------------------------------------------------------------------------------
SHARE = "consent.consentToShareReferralWithMicrosoftSellers"
VISIBLE, HIDDEN = 100000001, 100000000


def _private(known: Terms) -> SyncState:
    return pairs.in_step(
        pairs.referral({SHARE: False}), pairs.opportunity({"cosell_referralvisibility": HIDDEN}), known
    )


@pytest.mark.parametrize("profile", ["extended", "parity"])
def test_a_private_deal_becomes_visible_from_the_crm(profile: str) -> None:
    known = pairs.terms(profile=profile)
    plan = merge(_private(known), pairs.referral({SHARE: False}), pairs.opportunity(), known)
    assert _values(plan.to_pc) == {"visibility": "visible"}


@pytest.mark.parametrize(("profile", "comes"), [("extended", {"visibility": "visible"}), ("parity", {})])
def test_a_private_deal_becomes_visible_at_partner_center(profile: str, comes: dict[str, str]) -> None:
    known = pairs.terms(profile=profile)
    plan = merge(_private(known), pairs.referral(), pairs.opportunity({"cosell_referralvisibility": HIDDEN}), known)
    assert _values(plan.to_crm) == comes
    assert not plan.to_pc


@pytest.mark.parametrize("profile", ["extended", "parity"])
@pytest.mark.parametrize("value", [HIDDEN, None], ids=["not visible", "emptied"])
def test_a_visible_deal_cannot_be_hidden(profile: str, value: int | None) -> None:
    plan = _merge(None, {"cosell_referralvisibility": value}, pairs.terms(profile=profile))
    assert _codes(plan) == ["VISIBILITY_IRREVERSIBLE"]
    (change,) = plan.to_crm
    assert (change.new, change.restore) == ("visible", True)
    assert not plan.to_pc


def test_partner_center_never_hides_what_the_crm_shows() -> None:
    assert _merge({SHARE: False}, None) == Plan()


@pytest.mark.parametrize(
    ("option", "new"), [(100000001, "another"), (None, "cleared"), (987, "unmapped")], ids=lambda value: str(value)
)
def test_help_once_asked_for_is_restored(option: int | None, new: str) -> None:
    plan = _merge(None, {"cosell_howcanmicrosofthelp": option})
    assert _codes(plan) == ["HELP_IRREVERSIBLE"], new
    (change,) = plan.to_crm
    assert (change.new, change.restore) == ("ProofOfConceptOrDemo", True)


def test_help_newly_chosen_is_no_change_of_the_referral() -> None:
    """It asks for a second referral, which is flow 2's."""
    row = pairs.opportunity({"cosell_microsoftreferralidentifier": None, "cosell_howcanmicrosofthelp": 100000001})
    assert _merge(None, row) == Plan()


def test_microsofts_referral_may_be_known_from_the_state_alone() -> None:
    row = pairs.opportunity(
        {"cosell_microsoftreferralidentifier": None, "cosell_howcanmicrosofthelp": None,
         "cosell_syncstate": SyncState(microsoft_referral_id=pairs.MICROSOFTS_ID).to_json()}
    )  # fmt: skip
    assert _codes(_merge(None, row)) == ["HELP_IRREVERSIBLE"]


def test_a_refusal_nobody_wrote_a_sentence_for_still_has_one() -> None:
    rows = tuple(
        row.model_copy(update={"refusal": "RATING_LOCKED"}) if row.field == "rating" else row
        for row in pairs.mapping().opportunity
    )
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}))
    (note,) = _merge(None, {"opportunityratingcode": 3}, known).notes
    assert str(note) == "RATING_LOCKED: rating cannot be changed any more"


# -- blanks ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pc", "comes"),
    [
        ({"details.closingDateTime": None}, {}),
        ({"details.closingDateTime": "soon"}, {}),
        ({"details.requirements": None}, {}),
        ({"salesStage": None}, {}),
        ({"salesStage": "Moonshot"}, {}),
        ({"campaignId": None}, {}),
        ({"details": None}, {"notes": None}),
        ({"details.notes": ""}, {"notes": None}),
        ({"details.notes": None}, {"notes": None}),
    ],
    ids=lambda value: str(value),
)
def test_what_partner_center_lost_empties_only_notes(pc: dict[str, Any], comes: dict[str, Any]) -> None:
    plan = _merge(pc, None)
    assert _values(plan.to_crm) == comes
    assert not plan.to_pc
    assert not _codes(plan)


@pytest.mark.parametrize(
    ("columns", "goes", "codes"),
    [
        ({"estimatedclosedate": None}, {}, ["CLOSE_DATE_REQUIRED"]),
        ({"estimatedvalue": None}, {}, ["DEAL_VALUE_EMPTY"]),
        ({"salesstage": None}, {}, []),
        ({"salesstage": 7}, {}, []),
        ({"description": None}, {"notes": None}, []),
        ({"description": "  \n"}, {"notes": None}, []),
        ({"cosell_campaigncode": None}, {"campaign_code": None}, []),
    ],
    ids=lambda value: str(value),
)
def test_what_the_crm_lost(columns: dict[str, Any], goes: dict[str, Any], codes: list[str]) -> None:
    plan = _merge(None, columns)
    assert _values(plan.to_pc) == goes
    assert _codes(plan) == codes
    assert not plan.to_crm


def test_the_last_solution_is_never_removed_at_partner_center() -> None:
    plan = _merge(None, pairs.opportunity(solutions={}))
    assert _codes(plan) == ["SOLUTION_REQUIRED"]
    assert not plan.to_pc


def test_what_never_had_a_value_is_never_emptied() -> None:
    known = pairs.terms()
    base = pairs.in_step(pairs.referral({"details.notes": None}), pairs.opportunity({"description": "x"}), known)
    plan = merge(base, pairs.referral({"details.notes": ""}), pairs.opportunity({"description": "x"}), known)
    assert plan == Plan()


# -- notes -------------------------------------------------------------------------------------------------------------
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


# -- what the audit shows ----------------------------------------------------------------------------------------------
def test_describe_hides_free_text_and_shows_values() -> None:
    plan = _merge({"details.notes": "Call Ada at ada@customer.example", "details.closingDateTime": "2026-07-01"}, None)
    words = {change.row.field: change.describe() for change in plan.to_crm}
    assert words["closing_date"] == "closing_date 2026-06-30>2026-07-01"
    assert words["notes"].startswith("notes (30 characters, ")
    assert "Ada" not in words["notes"]


def test_a_manual_conflict_of_a_free_text_shows_no_word_of_it() -> None:
    rows = tuple(
        row.model_copy(update={"to_crm": frozenset({"create", "update"})}) if row.field == "campaign_code" else row
        for row in pairs.mapping().opportunity
    )
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}), conflict="manual")
    plan = _merge({"campaignId": "secret plan"}, {"cosell_campaigncode": "other plan"}, known)
    (note,) = plan.inbound_problems
    assert "plan" not in note.sentence.replace("campaign_code", "")
    assert "11 characters" in note.sentence


def test_an_echo_is_nothing_whatever_the_clock_says() -> None:
    """A newer time stamp with equal values is no change."""
    row = pairs.later(pairs.opportunity(), datetime(2027, 1, 1, tzinfo=UTC))
    assert _merge({"updatedDateTime": "2027-01-01T00:00:00Z", "eTag": '"new"'}, row) == Plan()


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
