"""The mapping table: what an overlay may change, and one clear sentence for each thing it may not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared import mapping_file
from shared.domain.mapping import PATCHABLE, TABLES, Mapping, MappingRow, build
from shared.errors import ConfigurationError
from tests.unit import pairs

SHIPPED = {
    name: tomllib.loads((Path(mapping_file.__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))
    for name in ("field_mapping", "field_values", "countries")
}
COLUMNS = {"deal_value": "estimatedvalue", "country": "address1_country"}


def _build(overlay: Any = None, **columns: str) -> Mapping:
    return build(
        SHIPPED["field_mapping"], SHIPPED["field_values"], SHIPPED["countries"], overlay=overlay,
        columns={**COLUMNS, **columns},
    )  # fmt: skip


def _sentence(overlay: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        _build(overlay)
    assert caught.value.code == "MAPPING_INVALID"
    assert "FIELD_MAPPING_FILE" in caught.value.remedy
    assert "pydantic" not in str(caught.value)
    return caught.value.sentence


def _row(mapping: Mapping, field: str) -> MappingRow:
    row = mapping.row(field)
    assert row is not None
    return row


# -- the shipped table -------------------------------------------------------------------------------------------------
def test_the_shipped_table_is_the_parity_profile_plus_the_extended_one() -> None:
    """Microsoft documents these updates; everything else that travels later is ours and only in `extended`."""
    rows = _build().opportunity
    assert {row.field for row in rows if row.inbound("update", "parity")} == {
        "deal_value", "currency", "closing_date", "notes",
    }  # fmt: skip
    assert {row.field for row in rows if row.outbound("update", "parity")} == {
        "deal_value", "currency", "closing_date", "notes", "visibility",
    }  # fmt: skip
    assert {row.field for row in rows if row.inbound("update", "extended")} == {
        "deal_value", "currency", "closing_date", "notes", "sales_stage", "solutions", "visibility", "respond_by",
    }  # fmt: skip
    assert {row.field for row in rows if row.outbound("update", "extended")} == {
        "deal_value", "currency", "closing_date", "notes", "sales_stage", "solutions", "visibility", "campaign_code",
        "team", "contact",
    }  # fmt: skip


def test_everything_is_filled_when_a_deal_arrives() -> None:
    assert all(row.inbound("create", "parity") for row in _build().opportunity)


def test_every_update_has_a_path_partner_center_accepts() -> None:
    for row in _build().opportunity:
        if row.outbound("update", "extended"):
            assert row.referral in PATCHABLE
            assert row.patch_path == "/" + row.referral.replace(".", "/")


def test_columns_of_the_settings() -> None:
    made = _build(deal_value="new_tcv", country="new_iso2")
    assert _row(made, "deal_value").column == "new_tcv"
    assert next(row.column for row in made.account if row.rule == "country") == "new_iso2"


def test_options_and_words() -> None:
    made = _build()
    assert made.option("deal_type", "co_sell") == 100000002
    assert made.word("deal_type", 100000002) == "co_sell"
    assert made.word("deal_type", 5) is None
    assert made.word("rating", 3) is None, "the word for all others is nobody's word"
    assert made.row("nothing") is None


# -- overlays that are right -------------------------------------------------------------------------------------------
def test_no_overlay_and_an_empty_one_are_the_same() -> None:
    assert _build() == _build({}) == _build({"version": 1, "opportunity": [], "values": {}})


def test_a_row_is_added() -> None:
    row = {"field": "program", "referral": "referralProgram", "column": "new_program",
           "to_crm": "create update", "to_pc": "create update"}  # fmt: skip
    made = _row(_build({"opportunity": [row]}), "program")
    assert (made.rule, made.patch_path) == ("text", "/referralProgram")
    assert made.inbound("update", "parity")
    assert made.outbound("update", "parity")
    assert len(_build({"opportunity": [row]}).opportunity) == len(_build().opportunity) + 1


def test_a_row_is_replaced_member_by_member() -> None:
    made = _row(_build({"opportunity": [{"field": "notes", "column": "new_notes"}]}), "notes")
    assert (made.column, made.referral, made.rule) == ("new_notes", "details.notes", "notes")


def test_a_row_is_switched_off() -> None:
    made = _build({"opportunity": [{"field": "rating", "off": True}]})
    assert made.row("rating") is None
    assert len(made.opportunity) == len(_build().opportunity) - 1
    assert _build({"opportunity": [{"field": "never_was", "off": True}]}) == _build()


def test_a_row_may_take_the_column_of_one_that_is_off() -> None:
    other = {"field": "mine", "referral": "referralProgram", "column": "opportunityratingcode"}
    assert _build({"opportunity": [{"field": "rating", "off": True}, other]}).row("mine")


def test_a_column_may_be_sent_twice_but_written_once() -> None:
    row = {"field": "mine", "referral": "referralProgram", "column": "description", "to_crm": "", "to_pc": "create"}
    made = _build({"opportunity": [row]})
    assert made.row("mine")
    assert made.row("notes")


def test_a_value_map_is_replaced_or_added() -> None:
    made = _build({"values": {"rating": {"SalesQualified": 7}, "mine": {"Gold": 1}}})
    assert made.values["rating"] == {"SalesQualified": 7}
    assert made.values["mine"] == {"Gold": 1}
    assert made.values["help"] == _build().values["help"]
    assert _build({"values": {"close_reason": {"100000003": "Rival", "100000008": "Other"}}})
    assert _build({"values": {"stage_phase": {"40": "Develop"}}}).values["stage_phase"] == {"40": "Develop"}


# -- overlays that are wrong -------------------------------------------------------------------------------------------
def _one(**row: Any) -> dict[str, Any]:
    return {"opportunity": [{"field": "mine", "referral": "campaignId", "column": "new_mine", **row}]}


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        pytest.param({"oportunity": []}, "'oportunity' is not a table of the mapping", id="table misspelt"),
        pytest.param({"opportunity": {}}, "opportunity of the overlay is not a list of rows", id="a table for a list"),
        pytest.param({"lead": 5}, "lead of the overlay is not a list of rows", id="a number for a list"),
        pytest.param({"contact": [{"column": "x"}]}, "contact row 1 of the overlay has no 'field'", id="no field"),
        pytest.param({"account": [5]}, "account row 1 of the overlay has no 'field'", id="no row"),
        pytest.param({"account": [{"field": 5}]}, "account row 1 of the overlay has no 'field'", id="field no text"),
        pytest.param({"account": [{"field": ["x"]}]}, "account row 1 of the overlay has no 'field'", id="field a list"),
        pytest.param(_one(rule="magic"), "opportunity.mine: rule 'magic' is unknown; choose one of name, text",
                     id="rule"),
        pytest.param(_one(referral="details..notes"), "opportunity.mine: referral 'details..notes' is not a path",
                     id="path"),
        pytest.param(_one(referral=""), "opportunity.mine: referral '' is not a path", id="no path"),
        pytest.param(_one(column="New Mine"), "opportunity.mine: column 'New Mine' is not a logical name",
                     id="display name"),
        pytest.param(_one(column=""), "opportunity.mine: column '' is not a logical name", id="no column"),
        pytest.param({"contact": [{"field": "mine", "referral": "title"}]},
                     "contact.mine: column '' is not a logical name", id="column left out"),
        pytest.param(_one(column="{"), "opportunity.mine: column '{' is not a logical name", id="half a placeholder"),
        pytest.param(_one(column="{deal_value.x}"), "opportunity.mine: column '{deal_value.x}'", id="odd braces"),
        pytest.param(_one(column="{budget}"), "opportunity.mine: column '{budget}' is not", id="unknown placeholder"),
        pytest.param(_one(column=5), "opportunity.mine: column '5' is not a logical name", id="column a number"),
        pytest.param(_one(referral="organizationName", to_pc="update"),
                     "opportunity.mine: Partner Center does not accept updates of 'organ", id="not patchable"),
        pytest.param(_one(referral="organizationName", to_pc="extended"),
                     "opportunity.mine: Partner Center does not accept updates of", id="not patchable, extended"),
        pytest.param(_one(rule="choice"), "opportunity.mine: rule choice needs the name of a value map", id="no map"),
        pytest.param(_one(rule="choice", values="mood"), "opportunity.mine: there is no value map 'mood'", id="map"),
        pytest.param(_one(rule="owner", to_crm="create update"),
                     'opportunity.mine: rule owner changes nothing in the CRM after creation; use to_crm = "create"',
                     id="people after creation"),
        pytest.param(_one(to_crm="always"), "opportunity.mine: to_crm: Input should be 'create'", id="times"),
        pytest.param(_one(to_pc=5), "opportunity.mine: to_pc: Input should be a valid frozenset", id="times a number"),
        pytest.param(_one(directions="both"), "opportunity.mine: directions: Extra inputs are not permitted",
                     id="member misspelt"),
        pytest.param(_one(max="long"), "opportunity.mine: max: Input should be a valid integer", id="max"),
        pytest.param(_one(off="perhaps"), "opportunity.mine: off: Input should be a valid boolean", id="off"),
        pytest.param(_one(column="description"), "opportunity.mine: column 'description' is already written by notes",
                     id="two rows, one column"),
        pytest.param({"values": []}, "'values' of the overlay is not a table of value maps", id="values a list"),
        pytest.param({"values": {"help": 5}}, "values.help is not a table of words and options", id="map a number"),
        pytest.param({"values": {"help": {"QuotesOrLicensing": "4"}}},
                     "values.help: 'QuotesOrLicensing' needs a whole number", id="option a text"),
        pytest.param({"values": {"help": {"QuotesOrLicensing": True}}},
                     "values.help: 'QuotesOrLicensing' needs a whole number", id="option yes"),
        pytest.param({"values": {"direction": {"inbound": 1}}}, "values.direction: 'outbound' is missing",
                     id="word missing"),
        pytest.param({"values": {"close_reason": {"100000003": "Rival"}}},
                     "values.close_reason: '100000008' is missing", id="reason missing"),
        pytest.param({"values": {"close_reason": {"100000003": "Rival", "100000008": 5}}},
                     "values.close_reason: '100000008' needs a text", id="reason a number"),
    ],
)  # fmt: skip
def test_one_clear_sentence(overlay: Any, sentence: str) -> None:
    assert sentence in _sentence(overlay)


def test_all_problems_at_once() -> None:
    sentence = _sentence({**_one(rule="magic", referral="!"), "lead": 5, "nonsense": [], "values": {"help": 5}})
    for part in ("'nonsense'", "lead of the overlay", "opportunity.mine", "values.help"):
        assert part in sentence


def test_a_shipped_row_that_is_broken_is_named() -> None:
    assert "opportunity.deal_value: column 'Deal Value'" in _sentence(
        {"opportunity": [{"field": "deal_value", "column": "Deal Value"}]}
    )


# -- from files --------------------------------------------------------------------------------------------------------
def test_the_settings_choose_the_columns() -> None:
    made = mapping_file.load(pairs.settings(DEAL_VALUE_COLUMN="new_tcv", DEAL_VALUE_FALLBACK="budgetamount"))
    assert _row(made, "deal_value").column == "new_tcv"
    assert made.deal_value_fallback == "budgetamount"
    assert {table: len(getattr(made, table)) for table in TABLES} == {
        table: len(SHIPPED["field_mapping"][table]) for table in TABLES
    }


def test_an_overlay_file(tmp_path: Path) -> None:
    file = tmp_path / "overlay.toml"
    file.write_text('opportunity = [{ field = "rating", off = true }]\n[values.rating]\nGold = 1\n', encoding="utf-8")
    made = mapping_file.load(pairs.settings(FIELD_MAPPING_FILE=str(file)))
    assert made.row("rating") is None
    assert made.values["rating"] == {"Gold": 1}


@pytest.mark.parametrize("content", [None, b"opportunity = [", b"\xff\xfe"], ids=["absent", "no TOML", "no UTF-8"])
def test_an_unreadable_overlay_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "overlay.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        mapping_file.load(pairs.settings(FIELD_MAPPING_FILE=str(file)))
    assert caught.value.code == "MAPPING_UNREADABLE"
    assert str(file) in caught.value.sentence


def test_a_folder_is_no_overlay_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAPPING_UNREADABLE"):
        mapping_file.load(pairs.settings(FIELD_MAPPING_FILE=str(tmp_path)))
