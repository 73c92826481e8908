"""The three-way table of the merge, every cell for every mapped field, in both profiles.

Expected outcomes are read off the mapping table's own words (create, update, extended) and the conflict rules; the
special fields (name, customer, help, visibility, notes) have their own tests in `test_plan_cases`, the people in
`test_people`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from shared.domain.opportunity import Opportunity
from shared.domain.plan import Change, Plan, merge
from shared.domain.referral import Referral
from shared.domain.state import Canonical, SyncState
from shared.domain.terms import Terms
from tests.unit import pairs

type Goes = Literal["always", "extended", "never"]


@dataclass(frozen=True)
class Side:
    """A value as one side spells it, and the form both are compared in."""

    pc: Any
    crm: Any
    canonical: Canonical


@dataclass(frozen=True)
class Field:
    """A mapped field with two values other than the base's."""

    name: str
    path: str
    column: str
    b: Side
    c: Side
    to_crm: Goes
    to_pc: Goes
    also: dict[str, str] | None = None
    """Solutions are no column."""


def side(value: Any, column: Any = None, canonical: Canonical = None) -> Side:
    column = value if column is None else column
    return Side(value, column, canonical if canonical is not None else column)


def _solutions(*ids: str) -> Side:
    return Side([{"id": i, "name": i, "type": "Name"} for i in ids], dict.fromkeys(ids, ""), tuple(sorted(ids)))


ATTRIBUTES = "details.requirements.additionalRequirements.attributes"


def _attribute(kind: str, word: str, column: Any) -> Side:
    return Side([{"type": kind, "id": word}], column, word)


JULY, AUGUST = date(2026, 7, 15), date(2026, 8, 31)
FIELDS = (
    Field("deal_value", "details.dealValue", "estimatedvalue", side(90000, Decimal(90000), "90000.00"),
          side(12.345, Decimal("12.35"), "12.35"), "always", "always"),
    Field("closing_date", "details.closingDateTime", "estimatedclosedate",
          side("2026-07-15T23:30:00Z", JULY, "2026-07-15"), side("2026-08-31T00:00:00Z", AUGUST, "2026-08-31"),
          "always", "always"),
    Field("sales_stage", "salesStage", "salesstage", side("40", 1, "40"), side("Close", 3, "80"),
          "extended", "extended"),
    Field("solutions", "details.requirements.solutions", "", _solutions("SOL-1", "SOL-2"), _solutions("SOL-3"),
          "extended", "extended"),
    Field("campaign_code", "campaignId", "cosell_campaigncode", side("AUTUMN"), side("WINTER"), "never", "extended"),
    Field("notes_to_microsoft", "inviteContext.notes", "cosell_notestomicrosoft", side("Call me"), side("Or not"),
          "never", "never"),
    Field("purchase_intent", ATTRIBUTES, "cosell_purchaseintent",
          _attribute("CustomerMarketplaceIntent", "Yes", 100000001),
          _attribute("CustomerMarketplaceIntent", "No", 100000002), "never", "never"),
    Field("solution_area", ATTRIBUTES, "cosell_solutionarea", _attribute("SolutionArea", "Security", "Security"),
          _attribute("SolutionArea", "Data", "Data"), "never", "never"),
    Field("solution_play", ATTRIBUTES, "cosell_solutionplay", _attribute("SolutionPlay", "Defend", "Defend"),
          _attribute("SolutionPlay", "Migrate", "Migrate"), "never", "never"),
    Field("partner_role", ATTRIBUTES, "cosell_partnerrole", _attribute("PartnerRole", "Advisor", "Advisor"),
          _attribute("PartnerRole", "Builder", "Builder"), "never", "never"),
    Field("respond_by", "expirationDateTime", "cosell_respondby",
          side("2026-04-01T00:00:00Z", datetime(2026, 4, 1, tzinfo=UTC), "2026-04-01T00:00:00Z"),
          side("2026-05-01T08:00:00Z", datetime(2026, 5, 1, 8, tzinfo=UTC), "2026-05-01T08:00:00Z"),
          "extended", "never"),
    Field("rating", "qualification", "opportunityratingcode", side("MarketingQualified", 2, "MarketingQualified"),
          side("Direct", 3, "*"), "never", "never"),
)  # fmt: skip
"""Currency is one thing with the deal value and has its own table in `test_plan_amount`."""
PROFILES = ("extended", "parity")
cases = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
profiles = pytest.mark.parametrize("profile", PROFILES)


def test_every_mapped_field_has_a_table() -> None:
    special = {"name", "notes", "customer", "help", "visibility", "currency", "team", "contact"}
    assert {row.field for row in pairs.mapping().opportunity} == {field.name for field in FIELDS} | special


def _goes(goes: Goes, profile: str) -> bool:
    return goes == "always" or (goes == "extended" and profile == "extended")


def _referral(field: Field, value: Side | None) -> Referral:
    if value is None:
        return pairs.referral()
    attributes = value.pc
    if field.path == ATTRIBUTES:
        kept = pairs.DOCUMENT["details"]["requirements"]["additionalRequirements"]["attributes"]
        attributes = [*value.pc, *(one for one in kept if one["type"] != value.pc[0]["type"])]
    return pairs.referral({field.path: attributes})


def _opportunity(field: Field, value: Side | None) -> Opportunity:
    if value is None:
        return pairs.opportunity()
    return pairs.opportunity({field.column: value.crm}) if field.column else pairs.opportunity(solutions=value.crm)


def _merge(field: Field, pc: Side | None, crm: Side | None, known: Terms) -> Plan:
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    return merge(state, _referral(field, pc), _opportunity(field, crm), known)


def _only(changes: tuple[Change, ...], field: Field, new: Canonical) -> bool:
    """Whether the one change is this field's, or the currency that comes with an amount."""
    return [(change.row.field, change.new) for change in changes] == [(field.name, new)]


@profiles
@cases
def test_nothing_changed(field: Field, profile: str) -> None:
    assert _merge(field, None, None, pairs.terms(profile=profile)) == Plan()


@profiles
@cases
def test_partner_center_changed(field: Field, profile: str) -> None:
    plan = _merge(field, field.b, None, pairs.terms(profile=profile))
    assert not plan.to_pc
    if _goes(field.to_crm, profile):
        assert _only(plan.to_crm, field, field.b.canonical)
    else:
        assert plan == Plan()


@profiles
@cases
def test_the_crm_changed(field: Field, profile: str) -> None:
    plan = _merge(field, None, field.b, pairs.terms(profile=profile))
    assert not plan.to_crm
    assert not plan.problems
    if _goes(field.to_pc, profile):
        assert _only(plan.to_pc, field, field.b.canonical)
    else:
        assert not plan.to_pc
        assert plan.agreed[field.name][1] == field.b.canonical, "the base follows, so that it is considered once"


@profiles
@cases
def test_both_changed_to_the_same(field: Field, profile: str) -> None:
    plan = _merge(field, field.b, field.b, pairs.terms(profile=profile))
    assert plan.agreed == {field.name: (field.b.canonical, field.b.canonical)}
    assert [(change.row.field, change.new) for change in plan.confirmed] == [(field.name, field.b.canonical)]
    assert (plan.to_crm, plan.to_pc, plan.notes, plan.problems) == ((), (), (), ())


POLICIES = ("pc", "crm", "latest pc", "latest crm", "manual")


@pytest.mark.parametrize("policy", POLICIES)
@profiles
@cases
def test_both_changed_differently(field: Field, profile: str, policy: str) -> None:
    word, _, later = policy.partition(" ")
    known = pairs.terms(profile=profile, conflict=word)
    when = datetime(2026, 3, 5, tzinfo=UTC) if later == "crm" else datetime(2026, 3, 1, tzinfo=UTC)
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    row = _opportunity(field, field.c)
    row = pairs.later(row, when)
    plan = merge(state, _referral(field, field.b), row, known)
    comes, goes = _goes(field.to_crm, profile), _goes(field.to_pc, profile)
    winner = later or word if comes and goes else "pc" if comes else "crm" if goes else "nobody"
    if winner == "pc":
        assert _only(plan.to_crm, field, field.b.canonical)
        assert not plan.to_pc
        assert field.name not in plan.agreed
    elif winner == "crm":
        assert _only(plan.to_pc, field, field.c.canonical)
        assert not plan.to_crm
    else:
        assert not plan.to_crm
        assert not plan.to_pc
        assert [note.code for note in plan.inbound_problems] == (["CONFLICT"] if winner == "manual" else [])
    if comes and goes and winner != "manual":
        (change,) = plan.to_crm + plan.to_pc
        assert change.conflict
        assert change.losing == (field.c if winner == "pc" else field.b).canonical
        assert "CONFLICT with" in change.describe()


@cases
def test_first_link_without_a_base(field: Field) -> None:
    """No base: equal values are agreed, different ones decided by the conflict policy, and no note troubles anybody."""
    known = pairs.terms(conflict="pc")
    plan = merge(SyncState(), _referral(field, field.b), pairs.opportunity(), known)
    assert not plan.notes
    assert not plan.problems
    assert not plan.confirmed
    if _goes(field.to_crm, "extended"):
        assert _only(plan.to_crm, field, field.b.canonical)
        assert field.name not in plan.agreed
    elif _goes(field.to_pc, "extended"):
        assert [change.row.field for change in plan.to_pc] == [field.name]
    else:
        assert field.name in plan.agreed
    assert plan.agreed["closing_date" if field.name != "closing_date" else "deal_value"]


@pytest.mark.parametrize(
    ("updated", "modified", "winner"),
    [
        pytest.param("2026-03-05T00:00:00Z", datetime(2026, 3, 4, tzinfo=UTC), "pc", id="partner center later"),
        pytest.param("2026-03-04T00:00:00Z", datetime(2026, 3, 5, tzinfo=UTC), "crm", id="crm later"),
        pytest.param("2026-03-04T00:00:00Z", datetime(2026, 3, 4, tzinfo=UTC), "pc", id="a tie is partner center's"),
        pytest.param(None, datetime(2026, 3, 4, tzinfo=UTC), "crm", id="partner center names no time"),
        pytest.param("2026-03-04T00:00:00Z", None, "pc", id="the crm names no time"),
    ],
)
def test_latest(updated: str | None, modified: datetime | None, winner: str) -> None:
    known = pairs.terms()
    state = pairs.in_step(pairs.referral(), pairs.opportunity(), known)
    found = pairs.referral({"details.dealValue": 1, "updatedDateTime": updated})
    plan = merge(state, found, pairs.later(pairs.opportunity({"estimatedvalue": Decimal(2)}), modified), known)
    assert [change.new for change in plan.to_crm] == (["1.00"] if winner == "pc" else [])
    assert [change.new for change in plan.to_pc] == (["2.00"] if winner == "crm" else [])
