"""The mapping held against an environment's metadata; every problem of an overlay in one sentence, word for word."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared import mapping_file
from shared.domain.mapping import MappingRow, build
from shared.domain.mapping_check import FITTING, Finding, check
from shared.domain.opportunity import SOLUTION_TABLE
from shared.errors import ConfigurationError
from tests.unit import pairs

SHIPPED = [
    tomllib.loads((Path(mapping_file.__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))
    for name in ("field_mapping", "field_values", "countries")
]


def line(field: str) -> MappingRow:
    found = pairs.mapping().row(field)
    assert found is not None
    return found


class Col:
    """A column's metadata."""

    def __init__(self, kind: str, *options: int) -> None:
        self.kind = kind
        self.options = dict.fromkeys(options, "")


def findings(**columns: Col) -> dict[str, Finding]:
    """Findings about opportunity columns; all others are there and fit."""
    known = {table: _fitting(table) for table in ("opportunity", "lead", "account", "contact")}
    known["opportunity"] |= columns
    return {finding.row.column: finding for finding in check(pairs.mapping(), known) if finding.table == "opportunity"}


def _fitting(table: str) -> dict[str, Any]:
    return {
        row.column: Col(sorted(FITTING[row.rule])[0]) for row in getattr(pairs.mapping(), table) if row.rule in FITTING
    }


def test_a_finding_says_table_row_and_type() -> None:
    found = findings(estimatedvalue=Col("String"), cosell_purchaseintent=Col("Picklist", 1))
    assert found["name"] == Finding("opportunity", line("name"), "Memo")
    assert found[SOLUTION_TABLE] == Finding("opportunity", line("solutions"), "table")
    value = found["estimatedvalue"]
    assert (value.table, value.row, value.kind, value.fatal) == ("opportunity", line("deal_value"), "String", True)
    assert value.problem == "rule money needs a column of type Decimal or Double or Money; estimatedvalue is String"
    intent = found["cosell_purchaseintent"]
    assert (intent.table, intent.kind, intent.fatal) == ("opportunity", "Picklist", False)
    assert intent.row.column == "cosell_purchaseintent"
    assert str(intent.problem).startswith("cosell_purchaseintent has no option ")


def test_a_missing_column_is_named_with_its_table() -> None:
    known = {table: _fitting(table) for table in ("opportunity", "lead", "account", "contact")}
    del known["account"]["address1_city"]
    [finding] = [finding for finding in check(pairs.mapping(), known) if finding.problem]
    assert (finding.table, finding.kind, finding.fatal) == ("account", None, True)
    assert finding.problem == "there is no column account.address1_city"


def test_everything_that_is_wrong_with_an_overlay_in_one_sentence() -> None:
    overlay: dict[str, Any] = {
        "unknown": [],
        "opportunity": [{"field": "name", "rule": "magic"}, {"field": "notes", "rule": "magic"}, {"column": "x"}],
        "values": {"help": "x", "close_reason": 5, "size": {"1to10employees": "one"}},
    }
    with pytest.raises(ConfigurationError) as caught:
        build(*SHIPPED, overlay=overlay, columns={"deal_value": "estimatedvalue", "country": "address1_country"})
    assert caught.value.remedy == (
        "Correct the file named by FIELD_MAPPING_FILE; docs/mapping.md shows the shipped table."
    )
    sentence = caught.value.sentence.removeprefix("The field mapping cannot be used: ")
    problems = sentence.removesuffix(".").split("; ")
    assert "'unknown' is not a table of the mapping" in problems
    assert "opportunity row 3 of the overlay has no 'field'" in problems
    assert [problem.split(": ")[0] for problem in problems if "magic" in problem] == [
        "opportunity.name",
        "opportunity.notes",
    ]
    assert "values.help is not a table of words and options" in problems
    assert "values.close_reason is not a table of words and options" in problems
    assert "values.size: '1to10employees' needs a whole number" in problems


def test_values_that_are_no_table() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(*SHIPPED, overlay={"values": []}, columns={"deal_value": "estimatedvalue", "country": "address1_country"})
    assert caught.value.sentence == (
        "The field mapping cannot be used: 'values' of the overlay is not a table of value maps."
    )


def test_a_value_of_the_wrong_type_is_named_with_its_place() -> None:
    overlay = {"opportunity": [{"field": "name", "max": "many", "to_pc": "sometimes"}]}
    with pytest.raises(ConfigurationError) as caught:
        build(*SHIPPED, overlay=overlay, columns={"deal_value": "estimatedvalue", "country": "address1_country"})
    assert "opportunity.name: max: Input should be a valid integer" in caught.value.sentence
    assert "opportunity.name: to_pc: Input should be" in caught.value.sentence
