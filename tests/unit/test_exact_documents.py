"""Documents and rows made from a plan or a pair, where a detail decides: what is kept, what counts, what goes on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.domain import incoming, outgoing
from shared.domain.changes import Change
from shared.domain.mapping import Mapping, MappingRow
from shared.domain.referral import Member
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


@pytest.mark.parametrize(("longest", "kept"), [(None, 60), (50, 50)])
def test_a_contacts_name_is_cut_where_the_mapping_knows_a_length(longest: int | None, kept: int) -> None:
    known = pairs.terms(mapping=mapping_with("contact", max=longest))
    person = Member.model_validate({"firstName": "x" * 60, "lastName": "Y"})
    assert incoming.contact(person, known) == {"firstname": "x" * kept, "lastname": "Y"}
