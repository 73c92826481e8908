"""Amounts in a currency that the CRM does not have, converted by the settings' rates: written once, never sent back.

Both flows' halves run on `tests.properties.flows.Pair`; this CRM has neither XTS nor XAU, its base currency is NOK.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.domain import amounts, incoming
from shared.domain.changes import described
from shared.domain.plan import Plan, merge
from shared.domain.row import Lookup
from shared.domain.state import Seen, SyncState, parse
from shared.domain.terms import Currency, Rates, Terms
from tests.properties.flows import Pair
from tests.unit import pairs

WORTH = {"XTS": Decimal("1.5"), "XAU": Decimal(20)}


def _terms(worth: dict[str, Decimal] | None = None, **changes: Any) -> Terms:
    rates = Rates("NOK", WORTH if worth is None else worth)
    return pairs.terms(**{"currency_policy": "convert", "rates": rates, **changes})


def _converted(known: Terms | None = None) -> Pair:
    """A pair in step whose amount, 1000 XTS, is 1500 NOK here."""
    pair = Pair.in_step(known or _terms())
    pair.edit_pc({"details.dealValue": 1000, "details.currency": "XTS"})
    pair.settle(crm_first=False)
    assert _here(pair) == (Decimal(1500), "NOK")
    return pair


def _here(pair: Pair) -> tuple[Any, str | None]:
    return pair.row.row.values["estimatedvalue"], pair.currency


def _there(pair: Pair) -> tuple[Any, str]:
    return pair.document["details"]["dealValue"], pair.document["details"]["currency"]


def _rests(pair: Pair) -> None:
    """No difference, no write, no bookkeeping: neither flow has anything to do."""
    before = pair.state, dict(pair.writes)
    assert pair.plan == Plan()
    assert not pair.flow_4()
    assert not pair.flow_5()
    assert (pair.state, pair.writes) == before


orders = pytest.mark.parametrize("crm_first", [True, False], ids=["flow 5 first", "flow 4 first"])


# -- what is converted -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "code", "written"),
    [
        pytest.param(1000, "XTS", "1500.00", id="plain"),
        pytest.param(1000, " xts", "1500.00", id="odd casing"),
        pytest.param(Decimal("0.67"), "XTS", "1.01", id="half up: 1.005"),
        pytest.param(Decimal("0.33"), "XTS", "0.50", id="0.495"),
        pytest.param(-2, "XAU", "-40.00", id="a negative amount"),
        pytest.param(1000, "EUR", None, id="a currency of the CRM"),
        pytest.param(1000, "XPD", None, id="no rate"),
        pytest.param(1000, None, None, id="no currency"),
        pytest.param(None, "XTS", None, id="no amount"),
        pytest.param(0, "XTS", None, id="zero is no amount"),
        pytest.param("1E+25", "XAU", None, id="too large to count"),
    ],
)
def test_amounts(value: Any, code: str | None, written: str | None) -> None:
    found = amounts.converted(pairs.referral({"details.dealValue": value, "details.currency": code}), _terms())
    assert (found.values if found else None) == ({"deal_value": written, "currency": "NOK"} if written else None)


def test_the_base_currencys_decimals_count() -> None:
    known = _terms(rates=Rates("JPY", {"XTS": Decimal("160.5")}))
    found = amounts.converted(pairs.referral({"details.dealValue": 3, "details.currency": "XTS"}), known)
    assert found is not None
    assert found.values == {"deal_value": "482", "currency": "JPY"}
    told = "CURRENCY_CONVERTED: 3.00 XTS in Partner Center, which is 482 JPY at the rate 160.5"
    assert str(found.note) == told


@pytest.mark.parametrize("field", ["deal_value", "currency"])
def test_half_an_amount_is_not_converted(field: str) -> None:
    mapping = pairs.mapping()
    rows = tuple(row for row in mapping.opportunity if row.field != field)
    known = _terms(mapping=mapping.model_copy(update={"opportunity": rows}))
    referral = pairs.referral({"details.dealValue": 1000, "details.currency": "XTS"})
    assert amounts.converted(referral, known) is None
    assert amounts.told(referral, known) == ()
    assert (
        incoming.mapped(referral, known.mapping.opportunity, known)
        .keys()
        .isdisjoint({"estimatedvalue", "transactioncurrencyid"})
    )


@pytest.mark.parametrize(
    ("code", "changes", "sentence"),
    [
        ("NOK", {}, None),
        ("XTS", {}, None),
        ("XPD", {}, "XPD is not an active currency of the CRM, and CURRENCY_RATES has no rate for it; value and "
                    "currency were left as they are"),
        ("XPD", {"rates": None}, "XPD is not an active currency of the CRM; value and currency were left as they are"),
        ("XPD", {"currency_policy": "ignore", "rates": None}, None),
    ],
    ids=["known", "a rate", "no rate", "no conversion", "ignored"],
)  # fmt: skip
def test_problems(code: str, changes: dict[str, Any], sentence: str | None) -> None:
    note = amounts.problem(pairs.referral({"details.currency": code}), _terms(**changes))
    assert (str(note) if note else None) == (f"CURRENCY_UNKNOWN: {sentence}" if sentence else None)


# -- a deal that arrives -----------------------------------------------------------------------------------------------
def test_a_new_record_has_the_converted_amount_and_remembers_both() -> None:
    known, referral = _terms(), pairs.referral({"details.dealValue": 1000, "details.currency": "XTS"})
    for rows, column in ((known.mapping.opportunity, "estimatedvalue"), (known.mapping.lead, "estimatedamount")):
        values = incoming.mapped(referral, rows, known)
        assert values[column] == Decimal("1500.00")
        assert values["transactioncurrencyid"] == Lookup("transactioncurrency", pairs.CURRENCIES["NOK"].id)
    base = incoming.base(referral, known.mapping.opportunity, known)
    assert (base["deal_value"], base["currency"]) == (("1000.00", "1500.00"), ("XTS", "NOK"))
    assert base["notes"] == ("Pilot in two warehouses first.",) * 2
    row = pairs.opportunity({"estimatedvalue": Decimal(1500)}, currency="NOK")
    assert merge(SyncState().with_seen(base), referral, row, known).to_pc == ()
    (note,) = amounts.told(referral, known)
    assert str(note) == "CURRENCY_CONVERTED: 1000.00 XTS in Partner Center, which is 1500.00 NOK at the rate 1.5"


def test_without_a_rate_a_new_record_has_no_amount() -> None:
    known, referral = _terms({}), pairs.referral({"details.currency": "XTS"})
    assert (
        incoming.mapped(referral, known.mapping.opportunity, known)
        .keys()
        .isdisjoint({"estimatedvalue", "transactioncurrencyid"})
    )
    assert incoming.base(referral, known.mapping.opportunity, known).keys().isdisjoint({"deal_value", "currency"})


def test_a_record_that_holds_the_conversion_is_in_step_without_a_base() -> None:
    known, referral = _terms(), pairs.referral({"details.dealValue": 1000, "details.currency": "XTS"})
    row = pairs.opportunity({"estimatedvalue": Decimal(1500)}, currency="NOK")
    plan = merge(SyncState(), referral, row, known)
    assert (plan.to_crm, plan.to_pc) == ((), ())
    assert (plan.agreed["deal_value"], plan.agreed["currency"]) == (("1000.00", "1500.00"), ("XTS", "NOK"))
    other = merge(SyncState(), referral, pairs.opportunity({"estimatedvalue": Decimal(1000)}), _terms(conflict="pc"))
    assert {change.row.field: change.new for change in other.to_crm} == {"deal_value": "1500.00", "currency": "NOK"}


# -- changes at Partner Center -----------------------------------------------------------------------------------------
def test_a_converted_amount_is_written_once_told_and_left_alone() -> None:
    pair = Pair.in_step(_terms())
    pair.edit_pc({"details.dealValue": 1000, "details.currency": "XTS"})
    changes = pair.plan.to_crm
    assert list(map(str, described(changes))) == [
        "deal_value 84500.50>1500.00",
        "CURRENCY_CONVERTED: 1000.00 XTS in Partner Center, which is 1500.00 NOK at the rate 1.5",
    ]
    assert [change.told is not None for change in changes] == [True, False]
    assert pair.flow_4()
    assert parse(pair.state).seen["deal_value"] == Seen(pc='"1000.00"', crm='"1500.00"')
    assert parse(pair.state).seen["currency"] == Seen(pc='"XTS"', crm='"NOK"')
    _rests(pair)
    assert pair.writes == {"crm": 1, "pc": 0}


@orders
@pytest.mark.parametrize(
    ("edit", "here"),
    [
        pytest.param({"details.dealValue": 2000}, (Decimal(3000), "NOK"), id="another amount"),
        pytest.param({"details.dealValue": 1500}, (Decimal(2250), "NOK"), id="the very number that stands here"),
        pytest.param({"details.currency": "XAU"}, (Decimal(20000), "NOK"), id="another unknown currency"),
        pytest.param({"details.currency": "NOK"}, (Decimal(1000), "NOK"), id="ours"),
        pytest.param({"details.currency": "EUR"}, (Decimal(1000), "EUR"), id="a known one"),
        pytest.param(
            {"details.dealValue": 1500, "details.currency": "NOK"}, (Decimal(1500), "NOK"), id="as it is here"
        ),
        pytest.param({"details.dealValue": 75, "details.currency": "XAU"}, (Decimal(1500), "NOK"), id="worth the same"),
        pytest.param({"details.dealValue": None}, (Decimal(1500), "NOK"), id="no amount any more"),
    ],
)
def test_a_later_change_is_converted_anew(edit: dict[str, Any], here: tuple[Any, str], crm_first: bool) -> None:
    pair = _converted()
    pair.edit_pc(edit)
    written = pair.writes["crm"]
    pair.settle(crm_first=crm_first)
    assert _here(pair) == here
    assert pair.writes == {"crm": written + (here[0] != 1500 or here[1] != "NOK"), "pc": 0}
    _rests(pair)


def test_other_changes_leave_a_converted_amount_alone() -> None:
    pair = _converted()
    pair.edit_pc({"details.notes": "News.", "salesStage": "40"})
    pair.edit_crm({"cosell_campaigncode": "X"})
    pair.settle(crm_first=True)
    assert (_here(pair), _there(pair)) == ((Decimal(1500), "NOK"), (1000, "XTS"))
    _rests(pair)


# -- changes here ------------------------------------------------------------------------------------------------------
@orders
@pytest.mark.parametrize(
    ("edit", "there"),
    [
        pytest.param({"estimatedvalue": Decimal(1700)}, (1700.0, "NOK"), id="another value"),
        pytest.param({"estimatedvalue": Decimal(1000)}, (1000.0, "NOK"), id="the very number that stands there"),
        pytest.param({"currency": "EUR"}, (1500.0, "EUR"), id="another currency"),
        pytest.param({"estimatedvalue": Decimal(1000), "currency": "EUR"}, (1000.0, "EUR"), id="both"),
    ],
)
def test_a_sellers_amount_travels_as_it_stands(edit: dict[str, Any], there: tuple[Any, str], crm_first: bool) -> None:
    pair = _converted()
    pair.edit_crm(edit)
    assert [change.row.field for change in pair.plan.to_pc] == ["deal_value", "currency"], (
        "neither is left to be agreed"
    )
    pair.settle(crm_first=crm_first)
    assert _there(pair) == there
    assert _here(pair) == (Decimal(str(there[0])), there[1])
    assert pair.writes == {"crm": 1, "pc": 1}
    _rests(pair)


@pytest.mark.parametrize("value", [1000, 1700])
def test_a_sellers_amount_survives_a_process_that_dies(value: int) -> None:
    """Sent and not recorded, or announced and never sent: the seller's amount arrives, whatever its number."""
    for sent in (True, False):
        pair = _converted()
        pair.edit_crm({"estimatedvalue": Decimal(value)})
        there = dict(pair.document["details"])
        pair.flow_5(dies_after_sending=True)
        if not sent:
            pair.edit_pc({"details": there})
        pair.settle(crm_first=False)
        assert (_there(pair), _here(pair)) == ((float(value), "NOK"), (Decimal(value), "NOK"))
        _rests(pair)


def test_an_emptied_amount_is_reported_and_kept() -> None:
    pair = _converted()
    pair.edit_crm({"estimatedvalue": None})
    assert [note.code for note in pair.plan.problems] == ["DEAL_VALUE_EMPTY"]
    pair.settle(crm_first=True)
    assert _there(pair) == (1000, "XTS")
    _rests(pair)


@orders
@pytest.mark.parametrize(
    ("policy", "here", "there"),
    [("pc", (Decimal(3000), "NOK"), (2000, "XTS")), ("crm", (Decimal(1700), "NOK"), (1700.0, "NOK"))],
)
def test_both_changed(policy: str, here: tuple[Any, str], there: tuple[Any, str], crm_first: bool) -> None:
    pair = _converted(_terms(conflict=policy))
    pair.edit_pc({"details.dealValue": 2000})
    pair.edit_crm({"estimatedvalue": Decimal(1700)})
    plan = pair.plan
    assert all(change.conflict for change in plan.to_crm + plan.to_pc)
    pair.settle(crm_first=crm_first)
    assert (_here(pair), _there(pair)) == (here, there)
    _rests(pair)


def test_people_decide_about_the_value_and_the_currency_is_none_of_it() -> None:
    pair = _converted(_terms(conflict="manual"))
    pair.edit_pc({"details.dealValue": 2000})
    pair.edit_crm({"estimatedvalue": Decimal(1700)})
    plan = pair.plan
    assert (plan.to_crm, plan.to_pc) == ((), ())
    assert {str(note) for note in plan.inbound_problems} == {
        "CONFLICT: deal_value: Partner Center has 2000.00, Dynamics 365 has 1700.00; make them equal"
    }


# -- other settings, another CRM ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "later",
    [
        pytest.param(_terms({"XTS": Decimal(9)}), id="another rate"),
        pytest.param(_terms({}), id="no rate"),
        pytest.param(pairs.terms(), id="another policy"),
        pytest.param(_terms(profile="parity", rates=None), id="another profile"),
        pytest.param(_terms(currencies={**pairs.CURRENCIES, "XTS": Currency("x", 2)}), id="the currency was added"),
        pytest.param(_terms(rates=Rates("EUR", WORTH)), id="another base currency"),
    ],
)
def test_new_settings_rewrite_no_deal(later: Terms) -> None:
    pair = _converted()
    pair.known = later
    _rests(pair)


def test_the_next_change_comes_by_the_new_rate_or_as_it_is_once_the_currency_exists() -> None:
    currencies = {**pairs.CURRENCIES, "XTS": Currency("11111111-0000-4000-8000-000000000009", 2)}
    for later, here in (
        (_terms({"XTS": Decimal(9)}), (Decimal(18000), "NOK")),
        (_terms(currencies=currencies), (Decimal(2000), "XTS")),
    ):
        pair = _converted()
        pair.known = later
        pair.edit_pc({"details.dealValue": 2000})
        pair.settle(crm_first=False)
        assert _here(pair) == here
        _rests(pair)


def test_without_a_rate_the_next_change_waits_and_comes_when_there_is_one() -> None:
    pair = _converted()
    pair.known = _terms({})
    pair.edit_pc({"details.dealValue": 2000})
    (note,) = pair.plan.inbound_problems
    assert note.sentence.startswith("XTS is not an active currency of the CRM, and CURRENCY_RATES has no rate for it;")
    pair.settle(crm_first=True)
    assert _here(pair) == (Decimal(1500), "NOK")
    pair.known = _terms()
    pair.settle(crm_first=True)
    assert _here(pair) == (Decimal(3000), "NOK")
    _rests(pair)


def test_a_currency_that_is_no_longer_active_changes_nothing_by_itself() -> None:
    pair = Pair.in_step(_terms())
    pair.known = _terms(currencies={"EUR": pairs.CURRENCIES["EUR"]}, rates=Rates("EUR", {"NOK": Decimal("0.1")}))
    _rests(pair)
    pair.edit_pc({"details.dealValue": 90000})
    pair.settle(crm_first=False)
    assert _here(pair) == (Decimal(9000), "EUR")
    _rests(pair)


def test_what_an_overlay_keeps_out_is_not_written_beside_the_currency() -> None:
    mapping = pairs.mapping()
    rows = tuple(
        row.model_copy(update={"to_crm": frozenset({"create"})}) if row.field == "deal_value" else row
        for row in mapping.opportunity
    )
    known = _terms(mapping=mapping.model_copy(update={"opportunity": rows}))
    base = pairs.in_step(pairs.referral(), pairs.opportunity(currency="EUR"), known)
    referral = pairs.referral({"details.dealValue": 1000, "details.currency": "XTS"})
    changes = merge(base, referral, pairs.opportunity(currency="EUR"), known).to_crm
    assert [(change.row.field, change.new) for change in changes] == [("currency", "NOK")]
    assert incoming.changed(changes, referral, known)["estimatedvalue"] == Decimal("1500.00")


# -- won ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "changes", "revenue"),
    [("NOK", {}, 1000), ("XTS", {}, Decimal(1499)), ("XPD", {}, None), ("XTS", {"rates": None}, None)],
    ids=["its own", "converted, at whatever rate", "no rate", "no conversion"],
)
def test_what_a_deal_was_won_for(code: str, changes: dict[str, Any], revenue: Any) -> None:
    referral = pairs.referral({"details.dealValue": 1000, "details.currency": code})
    row = pairs.opportunity({"estimatedvalue": Decimal(1499)})
    assert amounts.revenue(referral, row, _terms(**changes)) == revenue


@pytest.mark.parametrize(
    ("seen", "apart"),
    [(None, False), (Seen(), False), (Seen(pc="1"), False), (Seen(crm="1"), False), (Seen(pc="1", crm="1"), False),
     (Seen(pc="1", crm="2"), True)],
)  # fmt: skip
def test_sides_that_agreed_on_different_numbers(seen: Seen | None, apart: bool) -> None:
    assert amounts.apart(seen) is apart
