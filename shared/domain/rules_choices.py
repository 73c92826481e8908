"""Rules for choices: option values here, words there, by the value maps; never by a label of the user's language."""

from __future__ import annotations

from typing import Any

from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.rule import Rule, column_of, text_of
from shared.domain.state import Canonical
from shared.domain.terms import Terms


def _choice_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = text_of(reach(referral, row.referral))
    options = terms.mapping.values[row.values or ""]
    known = next((w for w in options if word and w.lower() == word.lower()), None)
    return known or ("*" if "*" in options and word else None)


def _choice_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    option = column_of(opportunity, row, terms)
    options = terms.mapping.values[row.values or ""]
    return next((word for word, value in options.items() if value == option), None)


def _choice_to_column(value: Canonical, row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values[row.values or ""].get(str(value)) if value else None


def _help_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = text_of(reach(referral, row.referral))
    return next((w for w in terms.mapping.values["help"] if word and w.lower() == word.lower()), None)


def _help_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return terms.mapping.word("help", column_of(opportunity, row, terms))


def _help_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values["help"].get(str(value)) if value else None


def _stage_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    """A stage is compared as Partner Center's percentage; its words are those of Dynamics 365 and say less."""
    word = (text_of(reach(referral, row.referral)) or "").removesuffix("%").strip().lower()
    percentage = next((known for known in terms.mapping.values["stage"] if known.lower() == word), None)
    words = terms.mapping.values["stage_words"].items()
    return percentage or terms.mapping.word("stage", next((s for known, s in words if known.lower() == word), None))


def _stage_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    """A stage that Partner Center has no percentage for counts as none, so that it is never sent as nothing."""
    return terms.mapping.word("stage", column_of(opportunity, row, terms))


def _stage_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values["stage"].get(str(value))


def _held_stage(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    """10 and 20 are one stage in Dynamics 365."""
    return terms.mapping.word("stage", _stage_to_column(value, row, terms))


def _stage_to_property(value: Canonical, row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.word("stage_words", _stage_to_column(value, row, terms)) if terms.stage_words else value


def _beside_stage(value: Canonical, row: MappingRow, terms: Terms) -> dict[str, Any]:
    """Phase and probability, which a seller sees instead of the stage; here 10 and 20 differ."""
    percentage = str(value)
    probability = int(percentage) if percentage.isdecimal() else None
    found = {"stepname": terms.mapping.values["stage_phase"].get(percentage), "closeprobability": probability}
    known = terms.stage_columns if row.column == "salesstage" else ()
    return {column: value for column, value in found.items() if column in known and value is not None}


def _visibility_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    return "visible" if reach(referral, row.referral) is True else "not_visible"


def _visibility_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return terms.mapping.word("visibility", column_of(opportunity, row, terms)) or "not_visible"


def _visibility_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values["visibility"].get(str(value))


def _hides(_referral: Referral, _opportunity: Opportunity, crm: Canonical) -> bool:
    return crm == "not_visible"


def _is_visible(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return value == "visible"


CHOICE = Rule(_choice_from_referral, _choice_from_opportunity, to_column=_choice_to_column)
HELP = Rule(_help_from_referral, _help_from_opportunity, to_column=_help_to_column, restores=True)
STAGE = Rule(
    _stage_from_referral,
    _stage_from_opportunity,
    to_column=_stage_to_column,
    to_property=_stage_to_property,
    as_crm=_held_stage,
    beside=_beside_stage,
)
VISIBILITY = Rule(
    _visibility_from_referral,
    _visibility_from_opportunity,
    to_column=_visibility_to_column,
    to_property=_is_visible,
    refused=_hides,
    restores=True,
)
