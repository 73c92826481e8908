"""The fields of the merge that have rules of their own: name, customer, visibility, help; blanks; the audit's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

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


# -- sales stage -------------------------------------------------------------------------------------------------------
def test_a_step_that_only_the_probability_shows_is_carried_over_once() -> None:
    """Created (10 %) and Qualified (20 %) are one stage in Dynamics 365."""
    known, row = pairs.terms(), pairs.opportunity()
    created, qualified = pairs.referral({"salesStage": "10"}), pairs.referral({"salesStage": "20"})
    base = pairs.in_step(created, row, known)
    plan = merge(base, qualified, row, known)
    assert plan == Plan(to_crm=plan.to_crm)
    assert [change.describe() for change in plan.to_crm] == ["sales_stage 10>20"]
    after = settled(base, plan.to_crm, qualified, row, known, side="crm")
    assert merge(after, qualified, row, known) == Plan()
    assert merge(after, pairs.referral({"salesStage": "Qualify"}), row, known).to_crm[0].new == "10"


@pytest.mark.parametrize(
    ("before", "pc", "crm", "profile", "agreed"),
    [
        pytest.param("10", "20", 0, "parity", ("20", "10"), id="parity carries no stage"),
        pytest.param("40", "20", 0, "extended", ("20", "10"), id="a seller went there as well"),
        pytest.param(None, "Moonshot", 9, "extended", None, id="a stage without a percentage"),
    ],
)
def test_steps_that_bring_nothing(before: str | None, pc: str, crm: int, profile: Any, agreed: Any) -> None:
    known = pairs.terms(profile=profile)
    began = {"40": 1, "10": 0}.get(before or "", 9)
    base = pairs.in_step(pairs.referral({"salesStage": before}), pairs.opportunity({"salesstage": began}), known)
    plan = merge(base, pairs.referral({"salesStage": pc}), pairs.opportunity({"salesstage": crm}), known)
    assert (plan.to_crm, plan.to_pc, plan.agreed.get("sales_stage")) == ((), (), agreed)


def test_a_stage_that_partner_center_takes_back_from_an_empty_column_is_only_remembered() -> None:
    known, row = pairs.terms(), pairs.opportunity({"salesstage": None})
    base = pairs.in_step(pairs.referral({"salesStage": "10"}), row, known)
    plan = merge(base, pairs.referral({"salesStage": None}), row, known)
    assert (plan.to_crm, plan.to_pc, plan.agreed) == ((), (), {"sales_stage": (None, None)})


def test_a_new_stage_comes_with_its_percentage_also_in_a_conflict() -> None:
    assert _values(_merge({"salesStage": "60"}, None).to_crm) == {"sales_stage": "60"}
    began = pairs.in_step(pairs.referral({"salesStage": "40"}), pairs.opportunity({"salesstage": 1}), pairs.terms())
    for known, crm in ((pairs.terms(), 1), (pairs.terms(conflict="pc"), 3)):
        (change,) = merge(
            began, pairs.referral({"salesStage": "20"}), pairs.opportunity({"salesstage": crm}), known
        ).to_crm
        assert (change.new, change.conflict) == ("20", crm == 3)


def test_phase_and_probability_alone_are_nobodys_business() -> None:
    assert _merge(None, {"stepname": "2-Develop", "closeprobability": 35}) == Plan()


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
