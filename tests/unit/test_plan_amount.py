"""Value and currency in the merge: one amount, never written under another currency's symbol."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from shared.domain.changes import announced, overruled, to_be_created
from shared.domain.outgoing import own_body
from shared.domain.plan import Change, Plan, merge
from shared.domain.referral import Referral
from shared.domain.state import Seen, SyncState
from shared.domain.terms import Terms
from tests.unit import pairs

type Amount = tuple[Any, str | None]


def _merge(pc: Amount, crm: Amount, known: Terms, *, linked: bool = True) -> Plan:
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known) if linked else SyncState()
    found = pairs.referral({"details.dealValue": pc[0], "details.currency": pc[1]})
    value = None if crm[0] is None else Decimal(str(crm[0]))
    return merge(state, found, pairs.opportunity({"estimatedvalue": value}, currency=crm[1]), known)


def _short(changes: tuple[Change, ...]) -> dict[str, Any]:
    return {change.row.field: change.new for change in changes}


BASE = (84500.5, "NOK")
NOTHING: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("pc", "crm", "to_crm", "to_pc"),
    [
        pytest.param((84500.5, "EUR"), BASE, {"currency": "EUR"}, NOTHING, id="partner center relabels"),
        pytest.param((9, "EUR"), BASE, {"deal_value": "9.00", "currency": "EUR"}, NOTHING, id="both at PC"),
        pytest.param(BASE, (84500.5, "EUR"), NOTHING, {"currency": "EUR"}, id="the crm relabels"),
        pytest.param(BASE, (9, "EUR"), NOTHING, {"deal_value": "9.00", "currency": "EUR"}, id="both in the crm"),
        pytest.param((84500.5, "eur "), BASE, {"currency": "EUR"}, NOTHING, id="odd casing"),
        pytest.param((84500.5, None), BASE, NOTHING, NOTHING, id="partner center lost the currency"),
        pytest.param((None, "NOK"), BASE, NOTHING, NOTHING, id="partner center lost the value"),
        pytest.param((None, "EUR"), BASE, NOTHING, NOTHING, id="a currency without amount says nothing"),
        pytest.param((0, "NOK"), BASE, NOTHING, NOTHING, id="0 at partner center is no value"),
        pytest.param(BASE, (84500.5, None), NOTHING, NOTHING, id="the crm lost the currency"),
        pytest.param(BASE, (None, "EUR"), NOTHING, NOTHING, id="the crm's currency without amount"),
        pytest.param(
            (84500.504, "NOK"), BASE, NOTHING, NOTHING, id="a difference below the precision is no difference"
        ),
        pytest.param((84500.505, "NOK"), BASE, {"deal_value": "84500.51"}, NOTHING, id="half a cent is rounded up"),
        pytest.param((10000.5, "JPY"), BASE, {"deal_value": "10001", "currency": "JPY"}, NOTHING, id="yen, whole"),
    ],
)
def test_one_side(pc: Amount, crm: Amount, to_crm: dict[str, str], to_pc: dict[str, str]) -> None:
    plan = _merge(pc, crm, pairs.terms())
    assert (_short(plan.to_crm), _short(plan.to_pc)) == (to_crm, to_pc)
    assert not any(change.conflict for change in plan.to_crm + plan.to_pc)


@pytest.mark.parametrize("value", [None, 0, Decimal("0.004")], ids=["empty", "zero", "less than a cent"])
def test_an_emptied_value_is_reported_and_kept_at_partner_center(value: Any) -> None:
    plan = _merge(BASE, (value, "NOK"), pairs.terms())
    assert not plan.to_pc
    assert not plan.to_crm
    assert [note.code for note in plan.problems] == ["DEAL_VALUE_EMPTY"]
    assert "deal_value" in plan.agreed, "it is said once"


def test_a_new_value_fills_an_emptied_one_without_complaint() -> None:
    plan = _merge((90000, "NOK"), (None, "NOK"), pairs.terms())
    assert _short(plan.to_crm) == {"deal_value": "90000.00"}
    assert not plan.problems
    assert "deal_value" not in plan.agreed, "whoever does not write the CRM must not record it as agreed"


@pytest.mark.parametrize(
    ("policy", "to_crm", "to_pc", "codes"),
    [
        ("pc", {"deal_value": "70000.00", "currency": "NOK"}, NOTHING, []),
        ("crm", NOTHING, {"deal_value": "84500.50", "currency": "EUR"}, []),
        ("manual", NOTHING, NOTHING, ["CONFLICT", "CONFLICT"]),
    ],
)
def test_value_there_and_currency_here_is_a_conflict_of_the_amount(
    policy: str, to_crm: dict[str, str], to_pc: dict[str, str], codes: list[str]
) -> None:
    """65,000 € must not become 70,000 of another currency on either side."""
    plan = _merge((70000, "NOK"), (84500.5, "EUR"), pairs.terms(conflict=policy))
    assert (_short(plan.to_crm), _short(plan.to_pc)) == (to_crm, to_pc)
    assert all(change.conflict for change in plan.to_crm + plan.to_pc)
    assert [note.code for note in plan.inbound_problems] == codes


@pytest.mark.parametrize("policy", ["latest", "pc", "crm", "manual"])
@pytest.mark.parametrize("later", ["pc", "crm"])
def test_an_inbound_deal_without_crm_amount_takes_partner_centers(policy: str, later: str) -> None:
    """Dataverse gives every new row its base currency; that default is never sent over a real amount."""
    known = pairs.terms(conflict=policy)
    when = datetime(2026, 4 if later == "crm" else 2, 1, tzinfo=UTC)
    row = pairs.later(pairs.opportunity({"estimatedvalue": None}, currency="USD"), when)
    plan = merge(SyncState(), pairs.referral(), row, known)
    assert _short(plan.to_crm) == {"deal_value": "84500.50", "currency": "NOK"}
    assert not plan.to_pc
    assert not plan.inbound_problems


@pytest.mark.parametrize("policy", ["fail", "ignore"])
@pytest.mark.parametrize("linked", [True, False], ids=["known pair", "new pair"])
def test_a_currency_the_crm_does_not_have(policy: str, linked: bool) -> None:
    plan = _merge((5000, "XTS"), (None, "USD") if not linked else BASE, pairs.terms(currency_policy=policy),
                  linked=linked)  # fmt: skip
    assert not plan.to_crm
    assert not plan.to_pc
    told = "CURRENCY_UNKNOWN: XTS is not an active currency of the CRM; value and currency were left as they are"
    assert list(map(str, plan.inbound_problems)) == ([told] if policy == "fail" else [])
    assert not {"deal_value", "currency"} & plan.agreed.keys(), "tried again as soon as the currency exists"


def test_other_fields_still_arrive_when_the_currency_is_unknown() -> None:
    known = pairs.terms()
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    changes = {"details.dealValue": 5, "details.currency": "XTS", "details.notes": "New text"}
    plan = merge(state, pairs.referral(changes), pairs.opportunity(), known)
    assert _short(plan.to_crm) == {"notes": "New text"}
    assert [note.code for note in plan.inbound_problems] == ["CURRENCY_UNKNOWN"]


def test_an_unknown_currency_is_reported_beside_what_else_keeps_values_out() -> None:
    known = pairs.terms(conflict="manual")
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    changes = {"details.dealValue": 5, "details.currency": "XTS", "details.closingDateTime": "2026-07-15T00:00:00Z"}
    plan = merge(state, pairs.referral(changes), pairs.opportunity({"estimatedclosedate": date(2026, 8, 31)}), known)
    assert [note.code for note in plan.inbound_problems] == ["CONFLICT", "CURRENCY_UNKNOWN"]


def test_without_metadata_no_currency_is_called_unknown() -> None:
    plan = _merge((5000, "XTS"), BASE, pairs.terms(currencies={}))
    assert _short(plan.to_crm) == {"deal_value": "5000.00", "currency": "XTS"}


def test_without_a_deal_value_row_the_currency_travels_alone() -> None:
    rows = tuple(row for row in pairs.mapping().opportunity if row.field != "deal_value")
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"opportunity": rows}))
    plan = _merge((None, "EUR"), (None, "NOK"), known)
    assert _short(plan.to_crm) == {"currency": "EUR"}


@pytest.mark.parametrize(
    ("direction", "to_crm", "to_pc"),
    [
        ({"to_crm": frozenset({"create"})}, NOTHING, NOTHING),
        ({"to_pc": frozenset({"create"})}, {"deal_value": "1.00"}, NOTHING),
    ],
    ids=["the value stays out of the crm", "the value stays out of partner center"],
)
def test_an_overlay_may_stop_one_direction(
    direction: dict[str, Any], to_crm: dict[str, str], to_pc: dict[str, str]
) -> None:
    mapping = pairs.mapping()
    rows = tuple(r.model_copy(update=direction) if r.field == "deal_value" else r for r in mapping.opportunity)
    known = pairs.terms(mapping=mapping.model_copy(update={"opportunity": rows}))
    plan = _merge((1, "NOK"), BASE, known)
    assert (_short(plan.to_crm), _short(plan.to_pc)) == (to_crm, to_pc)


def test_a_value_that_an_overlay_keeps_out_stays_out_when_the_currency_comes() -> None:
    mapping = pairs.mapping()
    rows = tuple(
        row.model_copy(update={"to_crm": frozenset({"create"})}) if row.field == "deal_value" else row
        for row in mapping.opportunity
    )
    known = pairs.terms(mapping=mapping.model_copy(update={"opportunity": rows}))
    assert _short(_merge((1, "EUR"), BASE, known).to_crm) == {"currency": "EUR"}


@pytest.mark.parametrize(("policy", "side"), [("pc", "crm"), ("crm", "pc")])
def test_a_decided_conflict_stays_decided(policy: str, side: Literal["crm", "pc"]) -> None:
    """One flow writes its own side for another reason, which makes it the newer one; the other comes late."""
    known = pairs.terms(conflict=policy)
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    found, row = pairs.referral({"details.dealValue": 1}), pairs.opportunity({"estimatedvalue": Decimal(2)})
    plan = merge(base, found, row, known)
    (change,) = plan.to_crm + plan.to_pc
    assert change.decided
    state = overruled(base, (change,), side)
    for turned in ("pc", "crm", "manual"):
        after = merge(state, found, row, pairs.terms(conflict=turned))
        (again,) = after.to_crm + after.to_pc
        assert (again.new, again.conflict) == (change.new, False)
        assert bool(after.to_crm) is bool(plan.to_crm)
    newer = merge(state, found, pairs.opportunity({"estimatedvalue": Decimal(3)}), known)
    assert len(newer.to_crm + newer.to_pc) == 1, "a later edit of a person is an edit"


def test_a_conflict_without_a_base_can_be_decided_too() -> None:
    known = pairs.terms(conflict="pc")
    found, row = pairs.referral({"details.dealValue": 1}), pairs.opportunity({"estimatedvalue": Decimal(2)})
    plan = merge(SyncState(), found, row, known)
    state = overruled(SyncState(), tuple(change for change in plan.to_crm if change.decided), "crm")
    assert _short(merge(state, found, row, pairs.terms(conflict="crm")).to_crm) == {"deal_value": "1.00"}


def test_joined_notes_are_not_a_decided_conflict() -> None:
    known = pairs.terms()
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    plan = merge(base, pairs.referral({"details.notes": "A"}), pairs.opportunity({"description": "B"}), known)
    assert not any(change.decided for change in plan.to_crm + plan.to_pc)


def test_what_was_announced_and_arrived_is_nobodys_change() -> None:
    known = pairs.terms(conflict="pc")
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    edited = pairs.opportunity({"estimatedvalue": Decimal(2)})
    state = announced(base, merge(base, pairs.referral(), edited, known).to_pc, edited, known)
    assert state.seen == base.seen, "not the base yet: it may never arrive"
    arrived, again = pairs.referral({"details.dealValue": 2}), pairs.opportunity({"estimatedvalue": Decimal(3)})
    plan = merge(state, arrived, again, known)
    assert (_short(plan.to_pc), plan.to_crm) == ({"deal_value": "3.00"}, ()), "the later edit, not a conflict"
    after = announced(state, plan.to_pc, again, known)
    arrived_as = state.sent["deal_value"]
    assert after.seen["deal_value"] == Seen(pc=arrived_as.pc, crm=arrived_as.crm), "what arrived is the base"
    lost = merge(state, pairs.referral(), again, known)
    assert _short(lost.to_pc) == {"deal_value": "3.00"}, "what never arrived is sent again, as it now is"


def test_what_another_run_sent_names_the_value_it_replaced() -> None:
    """Two runs may carry the same decision: the one that writes it down last still knows both values."""
    known = pairs.terms(conflict="crm")
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    edited, theirs = pairs.opportunity({"estimatedvalue": Decimal(2)}), pairs.referral({"details.dealValue": 7})
    state = announced(base, merge(base, theirs, edited, known).to_pc, edited, known)
    (change,) = merge(state, pairs.referral({"details.dealValue": 2}), edited, known).confirmed
    assert change.describe() == "deal_value 84500.50>2.00 (CONFLICT with 7.00)"


def test_what_another_run_sent_alone_is_no_conflict() -> None:
    known = pairs.terms(conflict="crm")
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    edited = pairs.opportunity({"estimatedvalue": Decimal(2)})
    state = announced(base, merge(base, pairs.referral(), edited, known).to_pc, edited, known)
    (change,) = merge(state, pairs.referral({"details.dealValue": 2}), edited, known).confirmed
    assert change.describe() == "deal_value 84500.50>2.00"
    (entered,) = merge(base, pairs.referral({"details.dealValue": 2}), edited, known).confirmed
    assert entered.describe() == "deal_value 84500.50>2.00", "both typed the same"


def test_half_a_join_is_not_announced() -> None:
    known = pairs.terms()
    base = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    found, row = pairs.referral({"details.notes": "A"}), pairs.opportunity({"description": "B"})
    assert announced(base, merge(base, found, row, known).to_pc, row, known).sent == {}


@pytest.mark.parametrize("policy", ["latest", "pc", "crm"])
def test_an_edit_while_the_referral_is_being_created_is_sent(policy: Literal["latest", "pc", "crm"]) -> None:
    """What the new referral was made from is announced with the reservation; there is no base yet."""
    known = pairs.terms(conflict=policy)
    made_from = pairs.opportunity({"estimatedvalue": Decimal(5), "description": "First."}, currency="EUR")
    state = SyncState(sent=to_be_created(made_from, known))
    created = Referral.model_validate({**own_body(made_from, known), "updatedDateTime": "2026-03-09T00:00:00Z"})
    same = merge(state, created, made_from, known)
    assert (same.to_crm, same.to_pc) == ((), ())
    edited = pairs.opportunity({"estimatedvalue": Decimal(6), "description": "Second."}, currency="EUR")
    plan = merge(state, created, edited, known)
    assert (_short(plan.to_pc), plan.to_crm) == ({"deal_value": "6.00", "notes": "Second."}, ())
    assert not {"visibility", "name", "help"} & state.sent.keys()
