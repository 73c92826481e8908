"""Rules for choices: option values here, words there, by the value maps; never by a label of the user's language."""

from __future__ import annotations

from typing import Any

from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.rule import Rule, column_of, text_of
from shared.domain.rules_numbers import whole_number
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
    word = (text_of(reach(referral, row.referral)) or "").removesuffix("%").strip().lower()
    for name in ("stage", "stage_words"):
        for known, stage in terms.mapping.values[name].items():
            if known.lower() == word:
                return str(stage)
    return None


def _stage_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    """A stage that Partner Center has no word for counts as none, so that it is never sent as nothing."""
    stage = column_of(opportunity, row, terms)
    return str(stage) if stage in terms.mapping.values["stage"].values() else None


def _stage_to_property(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    names = terms.mapping.values["stage_words" if terms.stage_words else "stage"]
    return next((word for word, stage in names.items() if str(stage) == value), None)


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
STAGE = Rule(_stage_from_referral, _stage_from_opportunity, to_column=whole_number, to_property=_stage_to_property)
VISIBILITY = Rule(
    _visibility_from_referral,
    _visibility_from_opportunity,
    to_column=_visibility_to_column,
    to_property=_is_visible,
    refused=_hides,
    restores=True,
)
