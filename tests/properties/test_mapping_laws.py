"""P14: a referral's mapped fields survive the way into the CRM and back, for 10,000 generated referrals of any kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.domain import classify, incoming, marks, status
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.outgoing import own_body
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.rules import RULES
from shared.domain.state import Canonical, SyncState
from shared.domain.terms import Terms
from tests.properties.generated import ENUMS, Source
from tests.unit import pairs
from tests.unit.test_outgoing import CONTRACT, needs_contract

COUNT = 10_000
HALVES = 2
"""The referrals are shared out to this many tests, so that two cores can take one each."""


@dataclass(frozen=True)
class _Case:
    """Names a generated referral; written out only when an assertion fails."""

    seed: str
    number: int
    document: dict[str, Any]

    def __str__(self) -> str:
        return f"seed {self.seed}, number {self.number}: {json.dumps(self.document)[:2000]}"


type _Values = dict[str, Canonical]
"""What a referral says in each field, as the CRM can hold it."""


def _row(referral: Referral, known: Terms, values: _Values) -> Opportunity:
    """The opportunity that a referral becomes, as it would be read back from Dataverse."""
    columns = incoming.mapped(referral, known.mapping.opportunity, known)
    lookup = columns.get("transactioncurrencyid")
    currency = next((code for code, one in known.currencies.items() if lookup and one.id == lookup.id), None)
    contacts = [incoming.contact(member, known) for member in referral.customer_profile.team]
    solutions = values["solutions"] or ()
    return pairs.opportunity(
        {**dict.fromkeys(pairs.COLUMNS), **columns},
        account=incoming.account(referral, known), contact=contacts[0] if contacts else None, currency=currency,
        solutions=dict.fromkeys(solutions if isinstance(solutions, tuple) else (), ""),
    )  # fmt: skip


def _values(referral: Referral, known: Terms) -> _Values:
    return {row.field: _value(row, referral, known) for row in known.mapping.opportunity if row.field in _COMPARED}


def _value(row: MappingRow, referral: Referral, known: Terms) -> Canonical:
    value = RULES[row.rule].as_crm(RULES[row.rule].from_referral(referral, row, known), row, known)
    return marks.strip(value) if row.field == "name" and isinstance(value, str) else value


def _back(row: Opportunity, known: Terms) -> Referral:
    """The document Partner Center would get for this opportunity, read again."""
    return Referral.model_validate(json.loads(json.dumps(own_body(row, known), default=float)))


TRAVELS = ("name", "deal_value", "currency", "closing_date", "notes", "sales_stage", "solutions", "help",
           "notes_to_microsoft", "campaign_code", "solution_area", "solution_play", "partner_role")  # fmt: skip
"""What is sent when a deal is created, as it came; visibility and purchase intent have defaults of their own."""
_COMPARED = {*TRAVELS, "visibility", "purchase_intent"}


def test_every_field_that_travels_both_ways_is_compared() -> None:
    both = {row.field for row in pairs.mapping().opportunity if row.inbound("create", "extended")
            and row.outbound("create", "extended")}  # fmt: skip
    assert both == {*TRAVELS, "visibility", "purchase_intent", "customer", "team", "contact"}


@pytest.mark.parametrize("half", range(HALVES))
def test_there_and_back(half: int) -> None:
    known, source = pairs.terms(limits={"name": 300, "description": 2000}), Source(f"P14/{half}")
    kinds: set[str] = set()
    sent = 0
    for number in range(COUNT // HALVES):
        document = source.referral()
        referral = Referral.model_validate(document)
        case = _Case(f"P14/{half}", number, document)
        kinds.add(classify.kind(referral))
        incoming.lead(referral, known)
        values = _values(referral, known)
        row = _row(referral, known, values)
        if number % 4 == 0:  # the merge has laws of its own
            _is_in_step(referral, row, known, case)
        if not row.solutions:
            continue
        back, sent = _back(row, known), sent + 1
        returned = _values(back, known)
        for field in TRAVELS:
            assert returned[field] == values[field], f"{field}: {case}"
        shared = values["visibility"] == "visible" or values["help"] is not None
        assert (returned["visibility"] == "visible") == shared, f"{case}"
        assert returned["purchase_intent"] == (values["purchase_intent"] or "HaveNotDecided"), f"{case}"
        _same_customer(referral, back, known, case)
    assert kinds == {"private", "partner_led", "co_sell", "lead", "marketplace_lead", "partner_to_partner"}
    assert sent > COUNT // HALVES // 2
    _covers_every_word(source)


def _is_in_step(referral: Referral, row: Opportunity, known: Terms, case: _Case) -> None:
    status.decide(SyncState(), referral, row, known, pairs.NOW)
    plan = merge(SyncState(), referral, row, known)
    assert (plan.to_crm, plan.to_pc, plan.notes, plan.problems) == ((), (), (), ()), f"nothing is left to do: {case}"


def _same_customer(referral: Referral, back: Referral, known: Terms, case: _Case) -> None:
    for row in known.mapping.account:
        rule = RULES[row.rule]
        there, again = (rule.as_crm(rule.from_referral(one, row, known), row, known) for one in (referral, back))
        if isinstance(there, str) and row.rule == "text":
            there = there.strip() or None  # addresses are sent without white space around them
        assert again == there or row.rule == "size", f"{row.field}: {case}"


def _covers_every_word(source: Source) -> None:
    counts = {(enum, word): source.seen[enum, word] for enum, words in ENUMS.items() for word in words}
    assert min(counts.values()) >= 20, {key: count for key, count in counts.items() if count < 20}


def test_every_size_comes_back_as_itself_or_as_the_finer_word_for_it() -> None:
    known = pairs.terms()
    for size in ENUMS["size"]:
        referral = pairs.referral({"customerProfile.size": size})
        back = _back(_row(referral, known, _values(referral, known)), known).customer_profile.size
        assert back == {"1to50employees": "1to9employees", "51to500employees": "51to250employees",
                        "Morethan500employees": "251to1000employees"}.get(size, size)  # fmt: skip


@needs_contract
def test_the_contracts_words_are_all_generated() -> None:
    text = Path(CONTRACT).read_text(encoding="utf-8")
    found: list[list[str]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.extend([node["enum"]] if "enum" in node else [])
            for part in node.values():
                walk(part)
        elif isinstance(node, list):
            for part in node:
                walk(part)

    walk(json.loads(text)["definitions"]["Microsoft.Partner.Service.PartnerReferrals.Contracts.V3.Referral"])
    generated = {word for words in ENUMS.values() for word in words}
    assert found, "the contract names enums"
    assert {word for words in found for word in words} <= generated
