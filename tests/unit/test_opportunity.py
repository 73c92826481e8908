"""The opportunity with its graph: which columns one read brings, and where account, contact and currency come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.opportunity import SOLUTION_TABLE, Opportunity, columns, expand, solution_id
from shared.domain.row import Lookup, Row
from shared.domain.state import COLUMN, SyncState
from tests.unit import pairs

ACCOUNT, CONTACT = Lookup("account", pairs.ACCOUNT_ID), Lookup("contact", "c0000000-0000-4000-8000-000000000001")


def test_one_read_brings_every_mapped_column_once() -> None:
    found = columns(pairs.mapping())
    assert len(found) == len(set(found))
    assert {row.column for row in pairs.mapping().opportunity} - set(found) == {SOLUTION_TABLE}
    assert {COLUMN, "cosell_audit", "statuscode", "modifiedon"} <= set(found)


def test_the_fallback_of_the_deal_value_is_read_too() -> None:
    mapping = pairs.mapping().model_copy(update={"deal_value_fallback": "budgetamount"})
    assert set(columns(mapping)) - set(columns(pairs.mapping())) == {"budgetamount"}


def test_terms_say_what_to_read_for_their_own_mapping() -> None:
    known = pairs.terms()
    assert (known.columns, known.related) == (columns(pairs.mapping()), expand(pairs.mapping()))
    other = replace(known, mapping=pairs.mapping().model_copy(update={"deal_value_fallback": "budgetamount"}))
    assert set(other.columns) - set(known.columns) == {"budgetamount"}


def test_related_rows_bring_what_rules_and_documents_need() -> None:
    related = expand(pairs.mapping())
    assert {row.column for row in pairs.mapping().account} <= set(related["parentaccountid"])
    assert related.keys() == {"parentaccountid", "parentcontactid", "ownerid", "transactioncurrencyid", SOLUTION_TABLE}
    assert "isocurrencycode" in related["transactioncurrencyid"]


def test_what_it_is_and_where_it_belongs() -> None:
    row = pairs.opportunity({"cosell_referralidentifier": f" {pairs.REFERRAL_ID.upper()} "})
    assert (row.id, row.etag, row.name) == (pairs.OPPORTUNITY_ID, 'W/"1"', "Cold-chain analytics rollout")
    assert row.referral_id == pairs.REFERRAL_ID
    assert row.microsoft_referral_id == pairs.MICROSOFTS_ID
    assert (row.statecode, row.statuscode, row.synced) == (0, 1, True)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_identifier_is_none(value: str | None) -> None:
    assert pairs.opportunity({"cosell_referralidentifier": value}).referral_id is None


@pytest.mark.parametrize("value", [None, False, "true", 1])
def test_only_yes_means_synchronised(value: object) -> None:
    assert not pairs.opportunity({"cosell_syncwithpartnercenter": value}).synced


@pytest.mark.parametrize(
    ("referral_id", "engagement", "state", "copy"),
    [
        (pairs.REFERRAL_ID, pairs.ENGAGEMENT_ID, SyncState(referral_id=pairs.REFERRAL_ID), False),
        (None, None, SyncState(), False),
        (None, pairs.ENGAGEMENT_ID, SyncState(), True),
        (None, None, SyncState(referral_id=pairs.REFERRAL_ID), True),
    ],
    ids=["linked", "not linked", "copied engagement", "copied state"],
)
def test_a_copied_row(referral_id: str | None, engagement: str | None, state: SyncState, copy: bool) -> None:
    row = pairs.opportunity(
        {"cosell_referralidentifier": referral_id, "cosell_engagementidentifier": engagement, COLUMN: state.to_json()}
    )
    assert row.is_copy is copy


@pytest.mark.parametrize(
    ("parent", "customer", "found"),
    [(ACCOUNT, None, pairs.ACCOUNT_ID), (None, ACCOUNT, pairs.ACCOUNT_ID), (None, CONTACT, None), (None, None, None)],
    ids=["parent", "customer", "a contact is no account", "none"],
)
def test_the_account(parent: Lookup | None, customer: Lookup | None, found: str | None) -> None:
    row = pairs.opportunity({"parentaccountid": parent, "customerid": customer}, account=None)
    assert row.account_id == found
    assert row.account is None
    assert row.customer == customer
    read = Row("account", "a", "", {"name": "Contoso"})
    assert Opportunity(row.row, read).account == read


def test_the_contact_may_have_been_read_separately() -> None:
    bare = pairs.opportunity(contact=None)
    read = Row("contact", "c", "", {"lastname": "Doe"})
    assert bare.contact is None
    assert Opportunity(bare.row, None, read).contact == read
    assert Opportunity(pairs.opportunity().row, None, read).contact != read, "the row's own contact wins"


@pytest.mark.parametrize(
    ("expanded", "code"), [({"isocurrencycode": "eur"}, "EUR"), ({"isocurrencycode": " "}, None), ({}, None)]
)
def test_the_currency(expanded: dict[str, Any], code: str | None) -> None:
    related = {"transactioncurrencyid": Row("transactioncurrency", "c", "", expanded)}
    assert Opportunity(Row("opportunity", "o", "", {}, related)).currency == code
    assert Opportunity(Row("opportunity", "o", "", {})).currency is None


def test_a_row_that_was_read_without_its_graph() -> None:
    bare = Opportunity(Row("opportunity", "o", "", {"parentaccountid": "text", "name": 5}, {"ownerid": []}))
    assert (bare.account, bare.contact, bare.owner, bare.customer, bare.solutions) == (None, None, None, None, {})
    assert (bare.name, bare.account_id, bare.state) == ("", None, SyncState())


@pytest.mark.parametrize(
    ("text", "bare"), [("sol-1-a", "SOL-1-A"), (" SOL-1 ", "SOL-1"), ("Dynamics365forSales", "Dynamics365forSales"),
                       (None, ""), ("  ", "")],
)  # fmt: skip
def test_solution_ids(text: str | None, bare: str) -> None:
    assert solution_id(text) == bare
