"""Terms from settings and Dataverse's metadata, and a mapping held against that metadata before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from shared import mapping_file
from shared.domain.mapping_check import Finding, check, unmapped
from shared.domain.row import Lookup
from shared.domain.terms import Currency, Rates, Statuses
from shared.errors import ConfigurationError
from shared.ports import Column, Condition, Row
from shared.terms_source import read_terms
from tests.unit import pairs

KINDS = {"name": "String", "text": "String", "notes": "Memo", "country": "String", "money": "Money",
         "currency": "Lookup", "date": "DateTime", "moment": "DateTime", "stage": "Picklist", "choice": "Picklist",
         "visibility": "Picklist", "help": "Picklist", "customer": "Lookup", "contact": "Lookup",
         "owner": "Owner", "size": "Integer"}  # fmt: skip
TABLES = ("opportunity", "lead", "account", "contact")


class Metadata:
    """The part of `shared.ports.Dataverse` that terms are read from."""

    def __init__(self, currencies: Sequence[Mapping[str, Any]] = ()) -> None:
        self.tables = {
            table: {row.column: Column(row.column, KINDS.get(row.rule, "")) for row in getattr(pairs.mapping(), table)}
            for table in TABLES
        }
        self.tables["opportunity"]["description"] = Column("description", "Memo", 1234)
        self.rows = [Row("transactioncurrency", f"id-{n}", "", values) for n, values in enumerate(currencies)]
        self.organizations: list[Row] = []
        self.codes: dict[str, str] = {}
        self.asked: list[tuple[str, Sequence[Condition]]] = []

    def columns(self, table: str) -> Mapping[str, Column]:
        return self.tables[table]

    def get(self, table: str, row_id: str, columns: Sequence[str]) -> Row:
        assert (table, columns) == ("transactioncurrency", ("isocurrencycode",))
        return Row(table, row_id, "", {"isocurrencycode": self.codes.get(row_id)})

    def find(
        self, table: str, where: Sequence[Condition], columns: Sequence[str], *, order_by: str | None = None,
        limit: int = 50,
    ) -> list[Row]:  # fmt: skip
        self.asked.append((table, where))
        if table == "organization":
            assert (where, columns, limit) == ([], ("basecurrencyid",), 1)
            return self.organizations
        return self.rows


def _read(metadata: Metadata, **settings: object) -> Any:
    found = pairs.settings(**settings)
    return read_terms(found, mapping_file.load(found), metadata)  # type: ignore[arg-type]  # the part of the port it uses


def test_currencies_are_the_active_ones_by_code() -> None:
    metadata = Metadata(
        [
            {"isocurrencycode": "eur", "currencyprecision": 2},
            {"isocurrencycode": "EUR", "currencyprecision": 4},
            {"isocurrencycode": "JPY", "currencyprecision": 0},
            {"isocurrencycode": "XXX", "currencyprecision": None},
            {"isocurrencycode": " "},
            {},
        ]
    )
    known = _read(metadata)
    assert known.currencies == {"EUR": Currency("id-0", 2), "JPY": Currency("id-2", 0), "XXX": Currency("id-3", 2)}
    assert metadata.asked == [("transactioncurrency", [Condition("statecode", 0)])]
    assert (known.precision("jpy"), known.precision("USD"), known.precision(None)) == (0, 2, 2)


def test_settings_and_lengths_become_terms() -> None:
    known = _read(
        Metadata(), PROFILE="parity", CONFLICT_POLICY="crm", CURRENCY_POLICY="ignore", CONSENT_POLICY="require",
        NAME_UPDATE_POLICY="patch", SALES_STAGE_WORDS="no", DISPLAY_CHECK_MARK="no", ON_HOLD_STATUS=12,
        ACTIVE_STATUS=11, WON_STATUS=13, DECLINED_STATUS=14, OUT_SOLD_STATUS=15, PC_PARTNER_ID="4862210",
        DEFAULT_TEAM_PHONE="+47", TERMINAL_GRACE_MINUTES=2, SOLUTION_GRACE_SECONDS=7,
        REFERRAL_LINK_TEMPLATE="https://x.example/{referralId}",
    )  # fmt: skip
    assert known.limits == {"description": 1234}
    assert known.statuses == Statuses(on_hold=12, active=11, won=13, declined=14, out_sold=15)
    assert (known.profile, known.conflict, known.currency_policy, known.consent) == (
        "parity",
        "crm",
        "ignore",
        "require",
    )
    assert (known.patch_name, known.stage_words, known.marks) == (True, False, False)
    assert (known.partner_id, known.organization_id, known.default_phone) == ("4862210", pairs.ORGANIZATION_ID, "+47")
    assert (known.terminal_grace_s, known.solution_grace_s) == (120, 7)
    assert known.link("1") == "https://x.example/1"


CONVERT = {"CURRENCY_POLICY": "convert", "CURRENCY_RATES": "EUR=1.08"}


def _organization(base: Lookup | None, code: str | None = "usd") -> Metadata:
    metadata = Metadata([{"isocurrencycode": "USD", "currencyprecision": 2}])
    metadata.organizations = [Row("organization", "o", "", {"basecurrencyid": base})]
    metadata.codes = {"id-0": code} if code else {}
    return metadata


def test_rates_are_into_the_organizations_currency() -> None:
    base = Lookup("transactioncurrency", "id-0")
    assert _read(_organization(base), **CONVERT).rates == Rates("USD", {"EUR": Decimal("1.08")})
    assert _read(_organization(base), CURRENCY_POLICY="convert").rates == Rates("USD", {})
    assert _read(_organization(None), **CONVERT).rates is None
    assert _read(_organization(base, None), **CONVERT).rates is None
    assert _read(Metadata(), **CONVERT).rates is None


@pytest.mark.parametrize("changes", [{"CURRENCY_POLICY": "fail"}, {"CURRENCY_POLICY": "ignore"}, {"PROFILE": "parity"}])
def test_nothing_is_converted_and_no_organization_read_otherwise(changes: dict[str, str]) -> None:
    metadata = _organization(Lookup("transactioncurrency", "id-0"))
    assert _read(metadata, **{**CONVERT, **changes}).rates is None
    assert [table for table, _ in metadata.asked] == ["transactioncurrency"]


def test_columns_beside_the_stage_are_those_that_exist_and_that_no_row_maps() -> None:
    metadata = Metadata()
    assert _read(metadata).stage_columns == frozenset()
    for column, kind in (("stepname", "String"), ("closeprobability", "Integer")):
        metadata.tables["opportunity"][column] = Column(column, kind)
    assert _read(metadata).stage_columns == {"stepname", "closeprobability"}
    mapped = pairs.mapping().opportunity[0].model_copy(update={"field": "phase", "column": "stepname"})
    mapping = pairs.mapping().model_copy(update={"opportunity": (*pairs.mapping().opportunity, mapped)})
    known = read_terms(pairs.settings(), mapping, metadata)  # type: ignore[arg-type]  # the part of the port it uses
    assert known.stage_columns == {"closeprobability"}


def test_a_column_that_does_not_exist_is_named_with_its_field() -> None:
    metadata = Metadata()
    del metadata.tables["opportunity"]["cosell_campaigncode"]
    metadata.tables["lead"]["subject"] = Column("subject", "Money")
    with pytest.raises(ConfigurationError) as caught:
        _read(metadata)
    assert caught.value.code == "MAPPING_COLUMN_UNUSABLE"
    for words in ("opportunity.cosell_campaigncode (field campaign_code)", "subject is Money (field subject)"):
        assert words in caught.value.sentence


def test_a_fallback_column_that_does_not_exist_is_named_with_its_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"opportunity\.budgetamount \(setting DEAL_VALUE_FALLBACK\)"):
        _read(Metadata(), DEAL_VALUE_FALLBACK="budgetamount")
    assert _read(Metadata(), DEAL_VALUE_FALLBACK="estimatedvalue").mapping.deal_value_fallback == "estimatedvalue"


def test_a_fitting_mapping_has_no_findings() -> None:
    found = check(pairs.mapping(), Metadata().tables)
    assert len(found) == sum(len(getattr(pairs.mapping(), table)) for table in TABLES)
    assert [finding for finding in found if finding.problem or finding.fatal] == []


def _finding(column: Column) -> Finding:
    metadata = Metadata()
    metadata.tables["opportunity"][column.name] = column
    (found,) = (f for f in check(pairs.mapping(), metadata.tables) if f.problem)
    return found


@pytest.mark.parametrize(
    ("column", "words", "fatal"),
    [
        (Column("estimatedclosedate", "String"), "rule date needs a column of type DateTime", True),
        (Column("cosell_howcanmicrosofthelp", "Picklist", options={100000001: "One"}), "no option 100000002", False),
        (Column("cosell_purchaseintent", "Picklist", options={100000001: "Yes", 100000002: "No"}),
         "has no option 100000003", False),
        (Column("cosell_referralvisibility", "Picklist", options={1: "x"}), "100000000, 100000001", False),
    ],
    ids=["type", "help", "choice", "visibility"],
)  # fmt: skip
def test_one_finding(column: Column, words: str, fatal: bool) -> None:
    found = _finding(column)
    assert words in (found.problem or "")
    assert (found.fatal, found.table, found.kind) == (fatal, "opportunity", column.kind)


def test_required_properties_that_nobody_fills() -> None:
    mapping = pairs.mapping()
    assert unmapped(mapping) == []
    rows = tuple(row for row in mapping.opportunity if row.field not in ("currency", "solutions"))
    account = tuple(row for row in mapping.account if row.field != "city")
    cut = mapping.model_copy(update={"opportunity": rows, "account": account})
    assert unmapped(cut) == ["customerProfile.address.city", "details.currency", "details.requirements.solutions"]
