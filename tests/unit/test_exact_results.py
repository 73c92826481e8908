"""Results to the letter where other tests look at a part of them: what a seller reads, what is asked for, what is kept.

Found by changing the code and seeing no test fail (`make mutate`, docs/testing.md).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain import audit, incoming, outgoing
from shared.domain.changes import Change, left, overruled, settled
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import SOLUTION_TABLE, expand
from shared.domain.plan import Plan, merge
from shared.domain.required import violations
from shared.domain.sentences import Note, outcome
from shared.domain.state import Seen, SyncState, fingerprint
from shared.domain.status import Closing, Decision, decide
from tests.unit import pairs

OWNER, CONTACT, ACCOUNT = pairs.OWNER, pairs.CONTACT, pairs.ACCOUNT


def line(field: str) -> MappingRow:
    found = pairs.mapping().row(field)
    assert found is not None
    return found


# what a seller reads before a deal is shared --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "known", "words"),
    [
        (
            pairs.opportunity({"statecode": 1, "statuscode": 3}),
            {},
            "OPPORTUNITY_CLOSED: the opportunity is closed; only an open one can be shared",
        ),
        (pairs.opportunity(account=None), {}, "CUSTOMER_REQUIRED: choose the customer's account"),
        (
            pairs.opportunity(account={**ACCOUNT, "address1_country": "x" * 60}),
            {},
            f'COUNTRY_INVALID: account "Northgate Foods AS" has country "{"x" * 40}"; a two-letter ISO code is needed',
        ),
        (
            pairs.opportunity(account={**ACCOUNT, "address1_country": "Germany"}),
            {},
            'COUNTRY_INVALID: account "Northgate Foods AS" has country "Germany"; a two-letter ISO code is needed, '
            "perhaps DE",
        ),
        (
            pairs.opportunity(contact=None),
            {},
            "CONTACT_REQUIRED: choose a customer contact: Microsoft's help was asked for",
        ),
        (
            pairs.opportunity(contact={"jobtitle": "x"}),
            {},
            "CONTACT_INCOMPLETE: the customer contact has no first name and no last name and no phone and no e-mail",
        ),
        (
            pairs.opportunity(owner=None),
            {},
            "TEAM_REQUIRED: assign the opportunity to a user: Partner Center needs a team member",
        ),
        (
            pairs.opportunity(owner={"jobtitle": "x"}),
            {},
            "TEAM_REQUIRED: the owner has no first name and no last name and no e-mail and no phone",
        ),
        (pairs.opportunity(currency=None), {}, "CURRENCY_REQUIRED: choose a currency that has an ISO code"),
        (
            pairs.opportunity(),
            {"consent": "require"},
            "CONSENT_REQUIRED: confirm that the customer agreed to share the contact's data",
        ),
    ],
)
def test_words_of_a_violation(row: Any, known: dict[str, Any], words: str) -> None:
    assert [str(violation.note) for violation in violations(row, pairs.terms(**known))] == [words]


def test_the_smallest_amount() -> None:
    assert violations(pairs.opportunity({"estimatedvalue": Decimal("0.01")}), pairs.terms()) == []


# what is read ---------------------------------------------------------------------------------------------------------
def test_the_related_rows_are_asked_for_by_these_columns() -> None:
    asked = expand(pairs.mapping())
    assert asked["ownerid"] == ("firstname", "lastname", "internalemailaddress", "address1_telephone1", "mobilephone")
    assert asked["transactioncurrencyid"] == ("isocurrencycode", "currencyprecision")
    assert asked[SOLUTION_TABLE] == ("cosell_name", "cosell_solutionid", "cosell_solutiontype")


# audit ----------------------------------------------------------------------------------------------------------------
def test_free_text_of_a_change_is_never_shown() -> None:
    change = Change(line("notes"), "old words", "new words", losing="lost words", conflict=True)
    text = change.describe()
    for words, sign in (("old words", ""), ("new words", ">"), ("lost words", "CONFLICT with ")):
        assert words not in text
        assert f"{sign}{audit.shown(words, free_text=True)}" in text
    assert audit.shown("old words", free_text=True) == "(9 characters, 8bc14f29)"
    value = Change(line("deal_value"), "1.00", "2.00", losing="3.00", conflict=True)
    assert value.describe() == "deal_value 1.00>2.00 (CONFLICT with 3.00)"


def test_the_audit_is_cut_at_a_line_and_says_so() -> None:
    lines = [f"{number:04} ".ljust(99, "x") for number in range(1000)]
    whole = "\n".join(lines[:900])
    assert len(whole) == 89_999
    assert audit.prepend("\n".join(lines[1:900]), [lines[0]]) == whole, "it fits"
    assert audit.prepend(whole[:-1] + "xx", []) == whole[:-1] + "xx", "to the last character"
    cut = audit.prepend("\n".join(lines), ["newest"])
    *kept, last = cut.split("\n")
    assert last == "… older entries in the log"
    assert kept == ["newest", *lines[: len(kept) - 1]], "whole lines"
    assert len("\n".join([*kept, lines[len(kept) - 1], last])) > audit.LIMIT, "as many as fit"


@pytest.mark.parametrize(("over", "kept"), [(0, 2), (1, 1)])
def test_a_line_that_just_fits_stays(over: int, kept: int) -> None:
    room = audit.LIMIT - len("… older entries in the log") - 1
    lines = ["a" * (room - 102 + over), "b" * 100, "c" * 200]
    assert audit.prepend("\n".join(lines), []).split("\n")[:-1] == lines[:kept]


# conflicts ------------------------------------------------------------------------------------------------------------
def test_what_lost_counts_as_seen_on_its_side_only() -> None:
    state = SyncState().with_seen({"notes": ("agreed pc", "agreed crm"), "name": ("n", "n")})
    lost = Change(line("notes"), "a", "b", losing="lost", conflict=True)
    assert overruled(state, (lost,), "crm").seen["notes"] == Seen(pc=state.seen["notes"].pc, crm=fingerprint("lost"))
    assert overruled(state, (lost,), "pc").seen["notes"] == Seen(pc=fingerprint("lost"), crm=state.seen["notes"].crm)
    assert overruled(state, (lost,), "pc").seen["name"] == state.seen["name"]


def test_what_was_written_to_partner_center_is_remembered_as_both_sides_hold_it() -> None:
    terms = pairs.terms()
    row = pairs.opportunity({"cosell_campaigncode": "AUTUMN"})
    change = Change(line("campaign_code"), "SPRING-26", "written")
    state = settled(SyncState(), (change,), pairs.referral({"campaignId": "AUTUMN"}), row, terms, side="pc")
    assert state.seen["campaign_code"] == Seen(pc=fingerprint("AUTUMN"), crm=fingerprint("AUTUMN"))


def test_what_is_never_sent_is_remembered_as_each_side_holds_it() -> None:
    """Partner Center's value as it was, the CRM's as it is: what was written since it was read, else what was read."""
    row, terms = pairs.opportunity({"estimatedvalue": Decimal("7.50")}), pairs.terms()
    changes = (Change(line("deal_value"), "5.00", "to be sent"), Change(line("notes"), "there", "joined"))
    written = (Change(line("notes"), "here", "cut"),)
    assert left(changes, row, terms, written) == {"deal_value": ("5.00", "7.50"), "notes": ("there", "cut")}
    assert left(changes[:1], row, terms) == {"deal_value": ("5.00", "7.50")}


def test_a_change_of_hands_is_never_too_late() -> None:
    owner, notes = Change(line("team"), None, "a new owner"), Change(line("notes"), "there", "here")
    assert Plan(to_pc=(owner, notes)).late == (notes,)


def conflict(pc: dict[str, Any], crm: dict[str, Any], winner: str) -> Plan:
    terms = pairs.terms(conflict=winner)
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), terms)
    return merge(base, pairs.referral(pc), pairs.opportunity(crm), terms)


def test_a_decided_conflict_tells_what_was_and_what_lost() -> None:
    pc, crm = {"details.closingDateTime": "2026-08-01T00:00:00Z"}, {"estimatedclosedate": date(2026, 9, 1)}
    [to_crm] = conflict(pc, crm, "pc").to_crm
    assert (to_crm.old, to_crm.new, to_crm.losing, to_crm.conflict) == ("2026-09-01", "2026-08-01", "2026-09-01", True)
    [to_pc] = conflict(pc, crm, "crm").to_pc
    assert (to_pc.old, to_pc.new, to_pc.losing, to_pc.conflict) == ("2026-08-01", "2026-09-01", "2026-08-01", True)
    [undecided] = conflict(pc, crm, "manual").inbound_problems
    assert "Partner Center has 2026-08-01, Dynamics 365 has 2026-09-01" in undecided.sentence


def test_joined_notes_tell_what_was_on_either_side() -> None:
    first = "Pilot in two warehouses first."
    plan = conflict({"details.notes": f"{first} Said there."}, {"description": f"{first} Said here."}, "latest")
    [to_crm] = [change for change in plan.to_crm if change.row.field == "notes"]
    [to_pc] = [change for change in plan.to_pc if change.row.field == "notes"]
    assert (to_crm.old, to_crm.losing) == (f"{first} Said here.", f"{first} Said here.")
    assert (to_pc.old, to_pc.losing) == (f"{first} Said there.", f"{first} Said there.")


# documents and rows ---------------------------------------------------------------------------------------------------
def test_either_phone_of_a_contact_will_do() -> None:
    for column in ("telephone1", "mobilephone"):
        contact = {**{name: value for name, value in CONTACT.items() if name != "telephone1"}, column: "+47 1"}
        body = outgoing.own_body(pairs.opportunity(contact=contact), pairs.terms())
        assert body["customerProfile"]["team"][0]["phoneNumber"] == "+47 1", column


def test_a_solution_is_named_by_its_id_and_a_category_by_its_key() -> None:
    tags = outgoing.solution_tags(pairs.opportunity(solutions={"SOL-1": "One", "sol-2": "", "Azure": "Azure"}))
    assert [(tag["id"], tag["name"], tag["type"]) for tag in tags] == [
        ("SOL-1", "One", "Name"),
        ("SOL-2", "SOL-2", "Name"),
        ("Azure", "Azure", "Category"),
    ]


def test_an_id_of_a_record_depends_on_each_part_and_not_on_its_case() -> None:
    assert incoming.row_id("contact", "A", "b") == incoming.row_id("contact", "a", "B")
    assert incoming.row_id("contact", "a", "b") == "56d4e940-8291-58d6-b87e-9777758e8a50"
    assert len({incoming.row_id(*parts) for parts in (("a", "b"), ("ab",), ("a", "bc"), ("b", "a"))}) == 4


# status ---------------------------------------------------------------------------------------------------------------
def at(pc: tuple[str, str], crm: tuple[int, int], *, waited_s: float | None = None, **state: Any) -> Decision:
    """The decision; `waited_s` since the seller closed it, of a grace of 600 s."""
    since = None if waited_s is None else pairs.NOW - timedelta(seconds=waited_s)
    referral = pairs.referral({"status": pc[0], "substatus": pc[1], "statusReason": "Won anyway"})
    row = pairs.opportunity({"statecode": crm[0], "statuscode": crm[1]})
    known = pairs.terms(terminal_grace_s=600)
    return decide(SyncState(terminal_since=since, **state), referral, row, known, pairs.NOW)


NEW, ACTIVE, WON = ("New", "Pending"), ("Active", "Accepted"), ("Closed", "Won")


def test_decisions_that_wait_or_send_nothing_name_both_sides() -> None:
    assert at(NEW, (0, 2)) == Decision("new", "hold", held=True)
    assert at(NEW, (0, 1), status_crm="open", status_pc="new") == Decision("new", "open", held=True)
    assert at(NEW, (1, 3), waited_s=100) == Decision("new", "won", held=True, wait_s=500)
    assert at(ACTIVE, (1, 3), waited_s=100) == Decision("active", "won", wait_s=500)
    sent = at(NEW, (1, 3), waited_s=601)
    assert (sent.pc, sent.crm, sent.held) == ("new", "won", False)
    assert sent.send == (("Active", "Accepted", None), ("Closed", "Won", None))


def test_a_deal_won_there_keeps_its_reason() -> None:
    assert at(WON, (0, 1)).closing == Closing(True, 3, outcome("won_there"), "Won anyway")


def test_a_deal_won_early_is_noted_word_for_word() -> None:
    young = {"createdDateTime": (pairs.NOW - timedelta(hours=71)).isoformat()}
    referral = pairs.referral({"status": "Active", "substatus": "Accepted", **young})
    since = pairs.NOW - timedelta(hours=1)
    decision = decide(
        SyncState(terminal_since=since), referral, pairs.opportunity({"statecode": 1, "statuscode": 3}), pairs.terms(),
        pairs.NOW,
    )  # fmt: skip
    assert [str(note) for note in decision.notes] == [
        "WON_BEFORE_72H: won within 72 hours of its creation; it may not qualify for incentives"
    ]


TERMINAL = {"won": ("Closed", "Won"), "lost": ("Closed", "Lost"), "declined": ("Closed", "Declined")}
STATES = {"open": (0, 1), "hold": (0, 2), "won": (1, 3), "lost": (2, 4)}


@pytest.mark.parametrize(
    ("pc", "crm", "before", "complains"),
    [
        ("won", "lost", ("won", "won"), True),
        ("lost", "won", ("lost", "lost"), True),
        ("declined", "won", ("declined", "hold"), True),
        ("won", "lost", ("won", "lost"), False),
        ("lost", "won", ("lost", "won"), False),
        ("won", "won", ("won", "lost"), False),
        ("lost", "lost", ("lost", "won"), False),
        ("declined", "lost", ("declined", "won"), False),
    ],
)
def test_a_deal_that_was_reopened_and_ended_otherwise_is_told_once(
    pc: str, crm: str, before: tuple[str, str], complains: bool
) -> None:
    decision = at(TERMINAL[pc], STATES[crm], status_pc=before[0], status_crm=before[1])
    assert decision == Decision(pc, crm, frozen=True, problem=Note("DEAL_TERMINAL") if complains else None)
    words = "DEAL_TERMINAL: the deal is closed in Partner Center and takes no more changes; create a new one"
    assert str(decision.problem) == (words if complains else "None")


def test_endings_that_contradict_each_other_are_noted_word_for_word() -> None:
    text = "the deal is won in Partner Center and lost in Dynamics 365; Partner Center cannot be changed any more"
    found = at(TERMINAL["won"], STATES["lost"], status_pc="active", status_crm="open")
    assert found == Decision("won", "lost", frozen=True, notes=found.notes)
    assert [(note.code, note.sentence) for note in found.notes] == [("CONFLICT_TERMINAL", text)]


def test_an_ending_there_is_followed_and_said_when_the_seller_had_moved_the_deal() -> None:
    closing = Closing(True, 3, outcome("won_there"), "Won anyway")
    text = "the deal was won in Partner Center, which cannot be undone; the opportunity follows"
    moved = at(TERMINAL["won"], STATES["open"], status_pc="active", status_crm="hold")
    assert moved == Decision("won", "open", closing=closing, frozen=True, notes=moved.notes)
    assert [(note.code, note.sentence) for note in moved.notes] == [("CONFLICT_TERMINAL", text)]
    assert at(TERMINAL["won"], STATES["open"], status_pc="active", status_crm="open").notes == ()
