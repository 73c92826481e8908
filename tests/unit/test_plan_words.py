"""What a plan says of each change to the letter: old and new value, what is agreed, whether it is a conflict.

The other tests of the merge look at where a value goes; flows and audit also read what it replaces.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.domain import texts
from shared.domain.changes import announced, to_be_created
from shared.domain.plan import Change, Plan, merge
from shared.domain.state import Canonical, Sent, SyncState, fingerprint
from shared.domain.terms import Terms
from tests.unit import pairs

JUNE, JULY, AUGUST = "2026-06-30", "2026-07-31", "2026-08-31"
WORDS = "Pilot in two warehouses first."


def base(known: Terms | None = None, **state: Any) -> SyncState:
    return pairs.in_step(pairs.referral(), pairs.opportunity(), known or pairs.terms()).but(**state)


def plan(pc: dict[str, Any], crm: dict[str, Any], known: Terms | None = None, **state: Any) -> Plan:
    """The plan for changes at both sides of a pair in step."""
    known = known or pairs.terms()
    return merge(base(known, **state), pairs.referral(pc), pairs.opportunity(crm), known)


def told(changes: tuple[Change, ...]) -> list[tuple[str, Canonical, Canonical, bool]]:
    return [(change.row.field, change.old, change.new, change.conflict) for change in changes]


def on_its_way(before: str, after: str) -> Sent:
    return Sent(pc=fingerprint(after), crm=fingerprint(after), before=fingerprint(before))


# old and new ----------------------------------------------------------------------------------------------------------
def test_a_change_tells_what_it_replaces_on_either_side() -> None:
    assert told(plan({}, {"estimatedclosedate": date(2026, 7, 31)}).to_pc) == [("closing_date", JUNE, JULY, False)]
    assert told(plan({"details.closingDateTime": JULY}, {}).to_crm) == [("closing_date", JUNE, JULY, False)]


def test_a_column_that_is_set_back_tells_what_it_held() -> None:
    found = plan({}, {"cosell_referralvisibility": 100000000})
    assert told(found.to_crm) == [("visibility", "not_visible", "visible", False)]
    assert [note.sentence for note in found.notes] == [
        "a deal visible to Microsoft's sellers cannot be hidden again; the column was restored"
    ]


def test_a_field_after_help_is_merged_while_microsoft_has_no_referral_yet() -> None:
    alone = {"cosell_microsoftreferralidentifier": None}
    assert [change.row.field for change in plan({}, {**alone, "cosell_campaigncode": "NEW"}).to_pc] == ["campaign_code"]
    assert plan({}, {**alone, "cosell_howcanmicrosofthelp": 100000001}) == Plan(), "help itself is flow 2's"


def test_what_is_not_sent_is_agreed_as_it_is() -> None:
    found = plan({}, {"estimatedclosedate": None})
    assert found.agreed == {"closing_date": (JUNE, None)}
    assert [str(problem) for problem in found.problems] == [
        "CLOSE_DATE_REQUIRED: the close date is empty and was not sent"
    ]


def test_an_emptied_column_that_is_about_to_be_filled_is_no_problem() -> None:
    found = plan({"details.closingDateTime": JULY}, {"estimatedclosedate": None})
    assert told(found.to_crm) == [("closing_date", None, JULY, False)]
    assert (found.problems, found.agreed) == ((), {})


# conflicts ------------------------------------------------------------------------------------------------------------
def test_a_text_that_wins_is_cut_to_the_column_it_goes_to() -> None:
    rows = tuple(
        row.model_copy(update={"to_crm": frozenset({"create", "update"})}) if row.field == "campaign_code" else row
        for row in pairs.mapping().opportunity
    )
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}), conflict="pc")
    found = plan({"campaignId": "x" * 150}, {"cosell_campaigncode": "Y"}, known)
    assert told(found.to_crm) == [("campaign_code", "Y", "x" * 100, True)]


def test_joined_notes_hold_no_mark_of_a_text_that_was_cut() -> None:
    crm = f"{WORDS} Said here. {texts.CONTINUED}\nAnd more."
    found = plan({"details.notes": f"{WORDS} Said there."}, {"description": crm})
    joined = f"{WORDS} Said there.\n\n{WORDS} Said here. \nAnd more."
    assert [change.new for change in found.to_pc] == [joined]


# what is on its way ---------------------------------------------------------------------------------------------------
def test_a_persons_change_on_top_of_ours_is_no_conflict() -> None:
    """July was sent, arrived and was changed to August before the base knew: only Partner Center changed since."""
    crm = {"estimatedclosedate": date(2026, 7, 31)}
    found = plan({"details.closingDateTime": AUGUST}, crm, sent={"closing_date": on_its_way(JUNE, JULY)})
    assert told(found.to_crm) == [("closing_date", JULY, AUGUST, False)]
    assert found.to_pc == ()


def test_a_sellers_change_on_top_of_what_arrived_is_no_conflict() -> None:
    crm = {"estimatedclosedate": date(2026, 8, 31)}
    found = plan({"details.closingDateTime": JULY}, crm, sent={"closing_date": on_its_way(JUNE, JULY)})
    assert told(found.to_pc) == [("closing_date", JULY, AUGUST, False)]
    assert found.to_crm == ()


def test_what_has_not_arrived_is_still_the_sellers_change() -> None:
    crm = {"estimatedclosedate": date(2026, 7, 31)}
    found = plan({}, crm, sent={"closing_date": on_its_way(JUNE, JULY)})
    assert told(found.to_pc) == [("closing_date", JUNE, JULY, False)]


@pytest.mark.parametrize("policy", ["latest", "pc", "crm"])
def test_notes_that_never_arrived_are_joined_to_those_a_person_wrote_there(policy: str) -> None:
    """Another text than before says nothing of ours: it may have replaced the old one and not ours."""
    found = plan(
        {"details.notes": "Said there."}, {"description": "Said here."}, pairs.terms(conflict=policy),
        sent={"notes": on_its_way(WORDS, "Said here.")},
    )  # fmt: skip
    joined = "Said there.\n\nSaid here."
    assert [change.new for change in found.to_crm] == [joined]
    assert [change.new for change in found.to_pc] == [joined]


def test_what_arrived_and_is_held_differently_here_is_agreed() -> None:
    """An addition to shortened notes: both sides hold it, each in its own form."""
    held = f"{WORDS} {texts.CONTINUED}\nMore."
    sent = Sent(pc=fingerprint("whole\n\nMore."), crm=fingerprint(held), before=fingerprint("whole"))
    found = plan({"details.notes": "whole\n\nMore."}, {"description": held}, sent={"notes": sent})
    assert found == Plan(agreed={"notes": ("whole\n\nMore.", held)})


@pytest.mark.parametrize(
    ("before", "losing"),
    [
        pytest.param(fingerprint(JUNE), None, id="what both agreed on"),
        pytest.param("", None, id="no referral yet"),
        pytest.param(None, None, id="nothing"),
        pytest.param(fingerprint(AUGUST), AUGUST, id="a person's value"),
    ],
)
def test_what_arrived_unnoticed_tells_whose_value_it_replaced(before: str | None, losing: str | None) -> None:
    there, here = {"details.closingDateTime": JULY}, {"estimatedclosedate": date(2026, 7, 31)}
    sent = Sent(pc=fingerprint(JULY), crm=fingerprint(JULY), before=before)
    found = plan(there, here, sent={"closing_date": sent})
    assert with_loser(found.confirmed) == [("closing_date", JUNE, JULY, losing, losing is not None)]


# value and currency, which travel together ----------------------------------------------------------------------------
type Amount = tuple[Any, str | None]
BEFORE: Amount = (84500.5, "NOK")


def amount(pc: Amount, crm: Amount, known: Terms | None = None) -> Plan:
    known = known or pairs.terms()
    value = None if crm[0] is None else Decimal(str(crm[0]))
    found = pairs.referral({"details.dealValue": pc[0], "details.currency": pc[1]})
    return merge(base(known), found, pairs.opportunity({"estimatedvalue": value}, currency=crm[1]), known)


def with_loser(changes: tuple[Change, ...]) -> list[tuple[str, Canonical, Canonical, Canonical, bool]]:
    return [(change.row.field, change.old, change.new, change.losing, change.conflict) for change in changes]


def test_an_amount_that_one_side_changed_has_no_loser() -> None:
    expected = [("deal_value", "84500.50", "9.00", None, False), ("currency", "NOK", "EUR", None, False)]
    assert with_loser(amount((9, "EUR"), BEFORE).to_crm) == expected
    assert with_loser(amount(BEFORE, (9, "EUR")).to_pc) == expected


def test_an_amount_torn_in_two_tells_what_lost() -> None:
    pc, crm = (70000, "NOK"), (84500.5, "EUR")
    assert with_loser(amount(pc, crm, pairs.terms(conflict="pc")).to_crm) == [
        ("deal_value", "84500.50", "70000.00", "84500.50", True),
        ("currency", "EUR", "NOK", "EUR", True),
    ]
    assert with_loser(amount(pc, crm, pairs.terms(conflict="crm")).to_pc) == [
        ("deal_value", "70000.00", "84500.50", "70000.00", True),
        ("currency", "NOK", "EUR", "NOK", True),
    ]
    assert [str(problem) for problem in amount(pc, crm, pairs.terms(conflict="manual")).inbound_problems] == [
        "CONFLICT: deal_value: Partner Center has 70000.00, Dynamics 365 has 84500.50; make them equal",
        "CONFLICT: currency: Partner Center has NOK, Dynamics 365 has EUR; make them equal",
    ]


def test_a_value_emptied_while_the_currency_changed_there_is_filled_without_complaint() -> None:
    found = amount((84500.5, "EUR"), (None, "NOK"))
    assert {change.row.field: change.new for change in found.to_crm} == {"deal_value": "84500.50", "currency": "EUR"}
    assert (found.problems, found.agreed) == ((), {})


def test_filling_a_value_leaves_the_other_complaints() -> None:
    known = pairs.terms()
    found = merge(
        base(known), pairs.referral({"details.currency": "EUR"}),
        pairs.opportunity({"estimatedvalue": None, "estimatedclosedate": None}), known,
    )  # fmt: skip
    assert [problem.code for problem in found.problems] == ["CLOSE_DATE_REQUIRED"]
    assert found.agreed == {"closing_date": (JUNE, None)}


def test_an_amount_without_currency_is_in_no_unknown_one() -> None:
    assert with_loser(amount((90000, None), BEFORE).to_crm) == [("deal_value", "84500.50", "90000.00", None, False)]


def test_an_unknown_currency_is_named() -> None:
    [problem] = amount((9, "xts"), BEFORE).inbound_problems
    assert problem.sentence == "XTS is not an active currency of the CRM; value and currency were left as they are"


@pytest.mark.parametrize(("profile", "travels"), [("extended", True), ("parity", False)])
def test_an_overlay_may_let_the_amount_travel_in_one_profile_only(profile: str, travels: bool) -> None:
    times = frozenset({"create", "extended"})
    rows = tuple(
        row.model_copy(update={"to_crm": times, "to_pc": times}) if row.field in ("deal_value", "currency") else row
        for row in pairs.mapping().opportunity
    )
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}), profile=profile)
    assert bool(amount((9, "EUR"), BEFORE, known).to_crm) is travels
    assert bool(amount(BEFORE, (9, "EUR"), known).to_pc) is travels


# what is written down before a change goes out ------------------------------------------------------------------------
def test_what_is_announced_is_what_each_side_will_hold() -> None:
    known = pairs.terms()
    whole, held = "whole", f"{WORDS} {texts.CONTINUED}\nMore."
    row = pairs.opportunity({"estimatedclosedate": date(2026, 7, 31), "description": held})
    changes = [Change(known.mapping.row(field), old, new) for field, old, new in (
        ("closing_date", JUNE, JULY), ("notes", whole, f"{whole}\n\nMore.")
    )]  # fmt: skip
    assert announced(base(), changes, row, known).sent == {
        "closing_date": on_its_way(JUNE, JULY),
        "notes": Sent(pc=fingerprint(f"{whole}\n\nMore."), crm=fingerprint(held), before=fingerprint(whole)),
    }


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("parity", {"deal_value", "currency", "closing_date", "notes"}),
        (
            "extended",
            {
                "deal_value",
                "currency",
                "closing_date",
                "notes",
                "sales_stage",
                "solutions",
                "campaign_code",
                "team",
                "contact",
            },
        ),
    ],
)
def test_a_referral_to_be_made_holds_what_the_opportunity_holds(profile: Any, fields: set[str]) -> None:
    made = to_be_created(pairs.opportunity(), pairs.terms(profile=profile))
    assert made.keys() == fields
    assert made["closing_date"] == Sent(pc=fingerprint(JUNE), crm=fingerprint(JUNE), before="")
    assert {sent.before for sent in made.values()} == {""}, "no fingerprint is empty: there is no referral yet"
