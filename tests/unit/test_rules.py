"""Every rule of the mapping table: one canonical form from both sides, and back to a column or a property."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.mapping import RULES as NAMES
from shared.domain.mapping import MappingRow
from shared.domain.rules import RULES
from shared.domain.rules_numbers import money_text
from shared.domain.terms import Terms
from tests.unit import pairs


def _row(field: str) -> MappingRow:
    row = pairs.mapping().row(field)
    assert row is not None
    return row


def _pc(field: str, path: str, value: Any, known: Terms | None = None) -> Any:
    row = _row(field)
    return RULES[row.rule].from_referral(pairs.referral({path: value}), row, known or pairs.terms())


def _crm(field: str, value: Any, known: Terms | None = None, **graph: Any) -> Any:
    row = _row(field)
    return RULES[row.rule].from_opportunity(
        pairs.opportunity({row.column: value}, **graph), row, known or pairs.terms()
    )


def test_every_name_a_row_may_use_has_a_rule() -> None:
    assert set(NAMES) == set(RULES)


@pytest.mark.parametrize(
    ("value", "precision", "text"),
    [
        (1, 2, "1.00"), (Decimal("10.005"), 2, "10.01"), (10.005, 2, "10.01"), ("10.004", 2, "10.00"),
        (Decimal("-0.001"), 2, "0.00"), (-5, 2, "-5.00"), (1234.5, 0, "1235"), (Decimal("1E+3"), 2, "1000.00"),
        (10**12, 2, "1000000000000.00"), (None, 2, None), (True, 2, None), ("much", 2, None),
        (float("inf"), 2, None), (Decimal("1E+40"), 2, None), ("sNaN", 2, None),
    ],
)  # fmt: skip
def test_money(value: Any, precision: int, text: str | None) -> None:
    assert money_text(value, precision) == text


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2025-03-31T23:30:00Z", "2025-03-31"),
        ("2025-03-31T23:30:00-02:00", "2025-04-01"),
        ("2025-04-01T00:00:00Z", "2025-04-01"),
        ("2025-04-01", "2025-04-01"),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_the_close_date_is_the_utc_day(value: str | None, day: str | None) -> None:
    assert _pc("closing_date", "details.closingDateTime", value) == day
    rule, row = RULES["date"], _row("closing_date")
    assert rule.to_column(day, row, pairs.terms()) == (date.fromisoformat(day) if day else None)
    assert rule.to_property(day, row, pairs.terms()) == (f"{day}T00:00:00Z" if day else None)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (date(2026, 6, 30), "2026-06-30"),
        (datetime(2026, 6, 30, 23, 59, tzinfo=UTC), "2026-06-30"),
        (datetime(2026, 6, 30, 1, tzinfo=timezone(timedelta(hours=2))), "2026-06-29"),
        ("2026-06-30", "2026-06-30"),
        (None, None),
    ],
)
def test_the_crms_close_date(value: Any, day: str | None) -> None:
    assert _crm("closing_date", value) == day


@pytest.mark.parametrize(
    ("value", "text"),
    [("2026-04-01T08:15:30.999Z", "2026-04-01T08:15:30Z"), ("1800-01-01T00:00:00Z", "1800-01-01T00:00:00Z"),
     (None, None)],
)  # fmt: skip
def test_moments_are_compared_by_the_second(value: str | None, text: str | None) -> None:
    assert _pc("respond_by", "expirationDateTime", value) == text
    column = RULES["moment"].to_column(text, _row("respond_by"), pairs.terms())
    assert _crm("respond_by", column) == text
    assert _crm("respond_by", text) == text, "a client that leaves dates as text"


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        ("10", "10"), ("20", "20"), ("40", "40"), ("60", "60"), ("80", "80"), (40, "40"), ("40%", "40"), ("40 %", "40"),
        (" 60 ", "60"), ("Qualify", "10"), ("DEVELOP", "40"), ("propose", "60"), ("Close", "80"), ("100", None),
        ("Moonshot", None), (None, None), ("", None),
    ],
)  # fmt: skip
def test_sales_stages_of_partner_center(value: Any, stage: str | None) -> None:
    assert _pc("sales_stage", "salesStage", value) == stage


@pytest.mark.parametrize(
    ("stage", "word", "percent"),
    [(0, "Qualify", "10"), (1, "Develop", "40"), (2, "Propose", "60"), (3, "Close", "80"), (7, None, None),
     (None, None, None), ("1", None, None)],
)  # fmt: skip
def test_sales_stages_of_the_crm(stage: Any, word: str | None, percent: str | None) -> None:
    rule, row = RULES["stage"], _row("sales_stage")
    canonical = _crm("sales_stage", stage)
    assert canonical == percent
    assert rule.to_property(canonical, row, pairs.terms()) == word
    assert rule.to_property(canonical, row, pairs.terms(stage_words=False)) == percent


@pytest.mark.parametrize(
    ("percentage", "held", "option", "phase"),
    [("10", "10", 0, "1-Qualify"), ("20", "10", 0, "1-Qualify"), ("40", "40", 1, "2-Develop"),
     ("60", "60", 2, "3-Propose"), ("80", "80", 3, "4-Close")],
)  # fmt: skip
def test_what_a_stage_brings(percentage: str, held: str, option: int, phase: str) -> None:
    """One column cannot tell 10 from 20; the probability beside it can."""
    rule, row, known = RULES["stage"], _row("sales_stage"), pairs.terms()
    assert rule.beside is not None
    assert (rule.as_crm(percentage, row, known), rule.to_column(percentage, row, known)) == (held, option)
    assert rule.beside(percentage, row, known) == {"stepname": phase, "closeprobability": int(percentage)}
    assert rule.as_crm(held, row, known) == held


def test_no_stage_brings_nothing() -> None:
    rule, row, known = RULES["stage"], _row("sales_stage"), pairs.terms()
    assert rule.beside is not None
    assert (rule.as_crm(None, row, known), rule.to_column(None, row, known), rule.beside(None, row, known)) == (
        None,
        None,
        {},
    )


def test_only_columns_that_the_crm_has_follow_a_stage_and_only_the_stage_of_sales() -> None:
    rule, row = RULES["stage"], _row("sales_stage")
    assert rule.beside is not None
    bare = pairs.terms(stage_columns=frozenset({"closeprobability"}))
    assert rule.beside("20", row, bare) == {"closeprobability": 20}
    assert rule.beside("20", row.model_copy(update={"column": "new_stage"}), pairs.terms()) == {}


def test_a_companys_own_stages_bring_what_their_maps_say() -> None:
    own = {"stage": {"Signed": 2, "60": 2}, "stage_phase": {"Signed": "3-Signed"}, "stage_words": {"Propose": 2}}
    mapping = pairs.mapping()
    known = pairs.terms(mapping=mapping.model_copy(update={"values": {**mapping.values, **own}}), stage_words=False)
    rule, row = RULES["stage"], _row("sales_stage")
    assert rule.beside is not None
    assert rule.beside("Signed", row, known) == {"stepname": "3-Signed"}
    assert rule.beside("60", row, known) == {"closeprobability": 60}
    for told in ("signed", "Propose"):
        assert _pc("sales_stage", "salesStage", told, known) == "Signed"
    assert _pc("sales_stage", "salesStage", "60", known) == "60"
    assert rule.to_property("Signed", row, known) == "Signed"


@pytest.mark.parametrize(
    ("value", "word", "option"),
    [("SalesQualified", "SalesQualified", 1), ("marketingqualified", "MarketingQualified", 2), ("Direct", "*", 3),
     ("None", "*", 3), (None, None, None)],
)  # fmt: skip
def test_choices_with_a_word_for_all_others(value: str | None, word: str | None, option: int | None) -> None:
    assert _pc("rating", "qualification", value) == word
    assert RULES["choice"].to_column(word, _row("rating"), pairs.terms()) == option
    assert _crm("rating", option) == word


def test_choices_without_one() -> None:
    path = "details.requirements.additionalRequirements.attributes"
    assert _pc("purchase_intent", path, [{"type": "CustomerMarketplaceIntent", "id": "perhaps"}]) is None
    assert _pc("purchase_intent", path, [{"type": "CustomerMarketplaceIntent", "id": "YES"}]) == "Yes"
    assert _crm("purchase_intent", 424242) is None


@pytest.mark.parametrize(
    ("value", "word"), [("ProofOfConceptOrDemo", "ProofOfConceptOrDemo"), ("quotesorlicensing", "QuotesOrLicensing"),
                        ("Unknown", None), (None, None), ("BrandNew", None)],
)  # fmt: skip
def test_help(value: str | None, word: str | None) -> None:
    assert _pc("help", "inviteContext.assistanceRequestCode", value) == word
    option = RULES["help"].to_column(word, _row("help"), pairs.terms())
    assert _crm("help", option) == word


@pytest.mark.parametrize(
    ("value", "word"), [(True, "visible"), ("true", "visible"), (False, "not_visible"), (None, "not_visible")]
)
def test_visibility(value: Any, word: str) -> None:
    assert _pc("visibility", "consent.consentToShareReferralWithMicrosoftSellers", value) == word
    assert _crm("visibility", RULES["visibility"].to_column(word, _row("visibility"), pairs.terms())) == word
    assert RULES["visibility"].to_property(word, _row("visibility"), pairs.terms()) is (word == "visible")


def test_visibility_is_off_unless_the_crm_says_on() -> None:
    assert _crm("visibility", None) == "not_visible"
    assert _crm("visibility", 424242) == "not_visible"


@pytest.mark.parametrize(("value", "code"), [("EUR", "EUR"), (" eur", "EUR"), (None, None), ("", None)])
def test_currency(value: str | None, code: str | None) -> None:
    assert _pc("currency", "details.currency", value) == code


def test_currency_columns() -> None:
    rule, row = RULES["currency"], _row("currency")
    lookup = rule.to_column("EUR", row, pairs.terms())
    assert (lookup.table, lookup.id) == ("transactioncurrency", pairs.CURRENCIES["EUR"].id)
    assert rule.to_column("XTS", row, pairs.terms()) is None
    assert _crm("currency", None, currency="eur") == "EUR"
    assert _crm("currency", None, currency=None) is None


def test_the_deal_value_falls_back_to_another_column_only_when_empty() -> None:
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"deal_value_fallback": "budgetamount"}))
    row, rule = _row("deal_value"), RULES["money"]
    for value, expected in ((Decimal(5), "5.00"), (Decimal(0), "0.00"), (None, "9.00")):
        found = pairs.opportunity({"estimatedvalue": value, "budgetamount": Decimal(9)})
        assert rule.from_opportunity(found, row, known) == expected


@pytest.mark.parametrize(
    ("solutions", "ids"),
    [
        ([{"id": "sol-1-a"}, {"id": "SOL-1-A"}, {"id": " SOL-2 "}], ("SOL-1-A", "SOL-2")),
        ([{"id": "Dynamics365forSales", "type": "Category"}], ("Dynamics365forSales",)),
        ([{"name": "no id"}], None), ([], None), (None, None), ("SOL-1", None),
    ],
)  # fmt: skip
def test_solutions(solutions: Any, ids: tuple[str, ...] | None) -> None:
    assert _pc("solutions", "details.requirements.solutions", solutions) == ids


@pytest.mark.parametrize(
    ("rows", "products", "ids"),
    [
        ({"sol-2": "Two", "SOL-1": "One"}, "SOL-9", ("SOL-1", "SOL-2")),
        ({"": "no id", " ": ""}, "SOL-12345-ABC; sol-99999-XYZ,|\r\nSOL-12345-ABC", ("SOL-12345-ABC", "SOL-99999-XYZ")),
        ({}, None, None),
    ],
    ids=["rows win", "the Products text", "nothing"],
)
def test_solutions_of_the_crm(rows: dict[str, str], products: str | None, ids: tuple[str, ...] | None) -> None:
    found = pairs.opportunity({"cosell_products": products}, solutions=rows)
    assert RULES["solutions"].from_opportunity(found, _row("solutions"), pairs.terms()) == ids


@pytest.mark.parametrize(
    ("name", "customer", "solutions", "expected"),
    [
        ("  A   deal ", "Contoso", [], "A deal"),
        (None, "Contoso", [{"id": "SOL-1", "name": "App"}, {"id": "SOL-2", "name": "Other"}], "Contoso – App"),
        (None, "Contoso", [], "Contoso"),
        ("", None, [{"id": "SOL-1"}], "Partner Center deal"),
    ],
)
def test_name(name: str | None, customer: str | None, solutions: list[Any], expected: str) -> None:
    found = pairs.referral(
        {"name": name, "customerProfile.name": customer, "details.requirements.solutions": solutions}
    )
    assert RULES["name"].from_referral(found, _row("name"), pairs.terms()) == expected


def test_a_name_in_another_property_has_no_fallback() -> None:
    row = MappingRow(field="x", referral="campaignId", column="new_x", rule="name")
    assert RULES["name"].from_referral(pairs.referral({"campaignId": None}), row, pairs.terms()) is None
    assert RULES["name"].from_referral(pairs.referral({"campaignId": " a  b "}), row, pairs.terms()) == "a b"


@pytest.mark.parametrize("length", [297, 298, 299, 300, 400])
def test_a_name_leaves_room_for_the_mark(length: int) -> None:
    rule, row, known = RULES["name"], _row("name"), pairs.terms()
    there = rule.from_referral(pairs.referral({"name": "n" * length}), row, known)
    here = rule.from_opportunity(pairs.opportunity({"name": f"✔ {'n' * min(length, 298)}"}), row, known)
    before = rule.from_opportunity(pairs.opportunity({"name": "n" * min(length, 300)}), row, known)
    assert rule.as_crm(there, row, known) == here == before


def test_texts_are_cut_to_the_column() -> None:
    rule, row = RULES["text"], _row("campaign_code")
    assert rule.as_crm("c" * 200, row, pairs.terms()) == "c" * 100
    assert rule.as_crm("c" * 200, row, pairs.terms(limits={})) == "c" * 200, "nobody knows the length"
    assert rule.as_crm(None, row, pairs.terms()) is None
    assert rule.as_crm("ab cd", row.model_copy(update={"max": 2}), pairs.terms()) == "ab", "the row's own limit wins"
    assert RULES["notes"].as_crm(None, _row("notes"), pairs.terms()) is None
    assert RULES["name"].as_crm(None, _row("name"), pairs.terms()) is None


@pytest.mark.parametrize("value", [True, {"a": 1}, ["a"]])
def test_what_is_no_text_is_none(value: Any) -> None:
    assert _crm("campaign_code", value) is None


@pytest.mark.parametrize(
    ("size", "least"),
    [("1to9employees", "1"), ("10to50employees", "10"), ("51to250employees", "51"), ("251to1000employees", "251"),
     ("1001to5000employees", "1001"), ("5001to10000employees", "5001"), ("10001to20000employees", "10001"),
     ("Morethan20000employees", "20001"), ("MORETHAN20000EMPLOYEES", "20001"), ("1to50employees", "1"),
     ("51to500employees", "51"), ("Morethan500employees", "501"), ("", None), (None, None), ("huge", None)],
)  # fmt: skip
def test_sizes(size: str | None, least: str | None) -> None:
    row = next(row for row in pairs.mapping().account if row.rule == "size")
    found = pairs.referral({"customerProfile.size": size})
    assert RULES["size"].from_referral(found, row, pairs.terms()) == least
    assert RULES["size"].to_column(least, row, pairs.terms()) == (int(least) if least else None)


def test_country() -> None:
    row = next(row for row in pairs.mapping().account if row.rule == "country")
    found = pairs.referral({"customerProfile.address": {"country": " de "}})
    assert RULES["country"].from_referral(found, row, pairs.terms()) == "DE"
    assert RULES["country"].from_referral(pairs.referral({"customerProfile": None}), row, pairs.terms()) is None


def test_the_customer_is_not_compared_with_partner_centers() -> None:
    assert RULES["customer"].from_referral(pairs.referral(), _row("customer"), pairs.terms()) is None
    assert _crm("customer", None, account=None) == pairs.ACCOUNT_ID, "the customer column names the account"
