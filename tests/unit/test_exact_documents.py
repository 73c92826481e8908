"""Documents and rows made from a plan or a pair, where a detail decides: what is kept, what counts, what goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.domain import incoming, outgoing
from shared.domain.changes import Change
from shared.domain.mapping import Mapping, MappingRow
from shared.domain.opportunity import columns
from shared.domain.referral import Member
from shared.domain.rules import RULES
from shared.domain.rules_numbers import money_text
from shared.domain.state import Canonical
from tests.unit import pairs


def change(field: str, new: Canonical, old: Canonical = None) -> Change:
    row = pairs.mapping().row(field)
    assert row is not None
    return Change(row, old, new)


def mapping_with(table: str, **changes: Any) -> Mapping:
    """The shipped mapping with every row of a table changed."""
    rows: tuple[MappingRow, ...] = getattr(pairs.mapping(), table)
    return pairs.mapping().model_copy(update={table: tuple(row.model_copy(update=changes) for row in rows)})


# for Partner Center ---------------------------------------------------------------------------------------------------
def test_the_plans_amount_counts_and_the_other_half_is_added() -> None:
    row = pairs.opportunity()
    assert outgoing.operations([change("deal_value", "5.00")], row, pairs.terms()) == [
        ("replace", "/details/dealValue", 5),
        ("replace", "/details/currency", "NOK"),
    ]


def test_a_currency_travels_alone_where_there_is_no_amount() -> None:
    row = pairs.opportunity({"estimatedvalue": None})
    assert outgoing.operations([change("currency", "EUR")], row, pairs.terms()) == [
        ("replace", "/details/currency", "EUR")
    ]


# for Dynamics 365 -----------------------------------------------------------------------------------------------------
def test_what_comes_after_the_solutions_is_written_too() -> None:
    changes = [change("solutions", ("SOL-1",)), change("closing_date", "2026-07-31")]
    assert incoming.changed(changes, pairs.referral(), pairs.terms()) == {"estimatedclosedate": date(2026, 7, 31)}


def test_a_choice_is_written_as_the_option_of_its_own_map() -> None:
    changes = [change("purchase_intent", "Yes"), change("rating", "MarketingQualified")]
    assert incoming.changed(changes, pairs.referral(), pairs.terms()) == {
        "cosell_purchaseintent": 100000001,
        "opportunityratingcode": 2,
    }


def test_a_customer_is_matched_and_never_written_from_the_mapping() -> None:
    row = pairs.mapping().row("customer")
    assert row
    assert incoming.mapped(pairs.referral(), [row.model_copy(update={"default": "Contoso"})], pairs.terms()) == {}


@pytest.mark.parametrize(("longest", "kept"), [(None, 60), (50, 50)])
def test_a_contacts_name_is_cut_where_the_mapping_knows_a_length(longest: int | None, kept: int) -> None:
    known = pairs.terms(mapping=mapping_with("contact", max=longest))
    person = Member.model_validate({"firstName": "x" * 60, "lastName": "Y"})
    assert incoming.contact(person, known) == {"firstname": "x" * kept, "lastname": "Y"}


# values ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is half a day ahead of UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_auckland")
def test_days_and_moments_are_those_of_utc_wherever_the_machine_stands() -> None:
    evening = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    known, day = pairs.terms(), pairs.mapping().row("closing_date")
    moment = pairs.mapping().row("respond_by")
    assert day
    assert moment
    found = pairs.referral({"details.closingDateTime": evening.isoformat(), "expirationDateTime": evening.isoformat()})
    row = pairs.opportunity({"estimatedclosedate": evening, "cosell_respondby": evening})
    for line, expected in ((day, "2026-06-30"), (moment, "2026-06-30T23:30:00Z")):
        assert RULES[line.rule].from_referral(found, line, known) == expected
        assert RULES[line.rule].from_opportunity(row, line, known) == expected


@pytest.mark.usefixtures("in_auckland")
@pytest.mark.parametrize("written", ["2026-06-30T23:30:00", "2026-06-30T23:30:00Z", "2026-07-01T11:30:00+12:00"])
def test_a_moment_without_offset_is_utc_wherever_the_machine_stands(written: str) -> None:
    moment = pairs.referral({"details.closingDateTime": written}).details.closing_date_time
    assert moment
    assert moment.isoformat() == "2026-06-30T23:30:00+00:00"


@pytest.mark.parametrize(("written", "known"), [("1753-12-31T00:00:00Z", False), ("1754-01-01T00:00:00Z", True)])
def test_the_first_year_that_dataverse_holds(written: str, known: bool) -> None:
    assert (pairs.referral({"details.closingDateTime": written}).details.closing_date_time is not None) is known


def test_no_amount_is_written_as_none() -> None:
    row = pairs.mapping().row("deal_value")
    assert row
    assert RULES["money"].to_column(None, row, pairs.terms()) is None
    assert RULES["money"].to_property(None, row, pairs.terms()) is None


def test_an_amount_is_plain_digits_at_any_precision() -> None:
    assert money_text(0, 10) == "0.0000000000"
    assert money_text("1E-9", 10) == "0.0000000010"


@pytest.mark.parametrize(("longest", "kept"), [(50, 50), (1000, 298), (None, 298)])
def test_a_name_leaves_room_for_its_mark_and_fits_its_column(longest: int | None, kept: int) -> None:
    row = pairs.mapping().row("name")
    assert row
    known = pairs.terms(limits={})
    assert RULES["name"].as_crm("x" * 2000, row.model_copy(update={"max": longest}), known) == "x" * kept


@pytest.mark.parametrize(("field", "name"), [("rating", "rating"), ("help", "help")])
def test_no_choice_is_not_the_word_none(field: str, name: str) -> None:
    row = pairs.mapping().row(field)
    assert row
    values = {**pairs.mapping().values, name: {"None": 7}}
    known = pairs.terms(mapping=pairs.mapping().model_copy(update={"values": values}))
    assert RULES[row.rule].to_column(None, row, known) is None
    assert RULES[row.rule].to_column("None", row, known) == 7


def test_only_columns_that_have_a_name_are_read() -> None:
    mapping = pairs.mapping()
    assert all(columns(mapping.model_copy(update={"deal_value_fallback": None})))
    assert columns(mapping.model_copy(update={"deal_value_fallback": "budgetamount"}))[-1] == "budgetamount"


def test_the_reason_of_an_ending_there_becomes_the_choice_that_says_the_same() -> None:
    for option, text in pairs.mapping().values["close_reason"].items():
        ended = pairs.referral({"statusReason": f" {str(text).upper()} "})
        assert incoming.close_reason(ended, pairs.terms()) == {"cosell_closereason": int(option)}
    for unknown in (None, "They moved to the moon."):
        assert incoming.close_reason(pairs.referral({"statusReason": unknown}), pairs.terms()) == {}
