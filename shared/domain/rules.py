"""The rules of the mapping table: how each kind of value is read on both sides, compared and written.

A rule turns both sides' values into one canonical form (`shared.domain.state.Canonical`), so that "did it change" is a
plain comparison: money as text at the currency's precision, dates as the UTC day, choices as Partner Center's word.
Rules never decide who wins; `shared.domain.plan` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from shared.domain import marks, texts
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity, solution_id
from shared.domain.paths import reach
from shared.domain.referral import Referral, Solution
from shared.domain.row import Lookup
from shared.domain.state import Canonical
from shared.domain.terms import Terms

type FromReferral = Callable[[Referral, MappingRow, Terms], Canonical]
type FromOpportunity = Callable[[Opportunity, MappingRow, Terms], Canonical]
type ToColumn = Callable[[Canonical, MappingRow, Terms], Any]
type ToProperty = Callable[[Canonical, MappingRow, Terms], Any]


def _same(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return value


def _column(opportunity: Opportunity, row: MappingRow, _terms: Terms) -> Any:
    return opportunity.row.values.get(row.column)


@dataclass(frozen=True)
class Rule:
    """One kind of value. `as_crm` is Partner Center's value as the CRM can hold it."""

    from_referral: FromReferral
    from_opportunity: FromOpportunity
    to_column: ToColumn = _same
    to_property: ToProperty = _same
    as_crm: Callable[[Canonical, MappingRow, Terms], Canonical] = _same
    blank_to_crm: bool = False
    """Whether an emptied value at Partner Center empties the column."""
    blank_to_pc: bool = False
    """Whether an emptied column empties the value at Partner Center."""
    restores: bool = False
    """Whether a refused change is undone in the CRM (Partner Center cannot take it back)."""
    free_text: bool = False
    """Whether the audit shows only length and hash."""


# -- text --------------------------------------------------------------------------------------------------------------
def _text_of(value: Any) -> str | None:
    if value is None or isinstance(value, bool | dict | list):
        return None
    return texts.normal(str(value)) or None


def _text_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    return _text_of(reach(referral, row.referral))


def _text_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return _text_of(_column(opportunity, row, terms))


def _limit(row: MappingRow, terms: Terms) -> int | None:
    return row.max or terms.limits.get(row.column)


def _cut(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    limit = _limit(row, terms)
    return texts.cut(value, limit) if isinstance(value, str) and limit else value


def _cut_notes(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    limit = _limit(row, terms)
    return texts.cut(value, limit, texts.CONTINUED) if isinstance(value, str) and limit else value


def _cut_name(value: Canonical, row: MappingRow, terms: Terms) -> Canonical:
    """Room for the mark is always left, so that setting it does not look like a new name."""
    return texts.cut(value, min(_limit(row, terms) or marks.ROOM, marks.ROOM)) if isinstance(value, str) else value


def _name_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return _cut_name(opportunity.name, row, terms) or None


def _name_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    name = texts.one_line(_text_of(reach(referral, row.referral)) or "")
    if name or row.referral != "name":
        return name or None
    solutions = referral.details.requirements.solutions
    parts = (referral.customer_profile.name, solutions[0].name if solutions else None)
    return texts.one_line(" – ".join(part for part in parts if part)) or "Partner Center deal"


# -- numbers and dates -------------------------------------------------------------------------------------------------
def money_text(value: Any, precision: int) -> str | None:
    """An amount as canonical text, half-up at the currency's precision; None for no amount."""
    try:
        number = Decimal(str(value)) if value is not None and not isinstance(value, bool) else None
        if number is None or not number.is_finite():
            return None
        rounded = number.quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP)
        return format(rounded or abs(rounded), "f")  # 0 has no sign
    except InvalidOperation:
        return None


def _money_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    return money_text(reach(referral, row.referral), terms.precision(referral.details.currency))


def _money_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    value = _column(opportunity, row, terms)
    fallback = terms.mapping.deal_value_fallback
    if value is None and fallback and row.field == "deal_value":
        value = opportunity.row.values.get(fallback)
    return money_text(value, terms.precision(opportunity.currency))


def _number(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return Decimal(str(value)) if value is not None else None


def _day_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    moment = reach(referral, row.referral)
    return moment.astimezone(UTC).date().isoformat() if isinstance(moment, datetime) else None


def _day_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    value = _column(opportunity, row, terms)
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat()
    return value.isoformat() if isinstance(value, date) else _text_of(value)


def _midnight(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return f"{value}T00:00:00Z" if value else None


def _moment_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    moment = reach(referral, row.referral)
    return _seconds(moment) if isinstance(moment, datetime) else None


def _moment_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    value = _column(opportunity, row, terms)
    return _seconds(value) if isinstance(value, datetime) else _text_of(value)


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _day_to_column(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return date.fromisoformat(str(value)) if value else None


def _moment_to_column(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return datetime.fromisoformat(str(value)) if value else None


# -- currency ----------------------------------------------------------------------------------------------------------
def _currency_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    code = _text_of(reach(referral, row.referral))
    return code.strip().upper() if code else None


def _currency_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return opportunity.currency


def _currency_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    known = terms.currencies.get(str(value))
    return Lookup("transactioncurrency", known.id) if known else None


# -- choices -----------------------------------------------------------------------------------------------------------
def _choice_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = _text_of(reach(referral, row.referral))
    options = terms.mapping.values[row.values or ""]
    known = next((w for w in options if word and w.lower() == word.lower()), None)
    return known or ("*" if "*" in options and word else None)


def _choice_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    option = _column(opportunity, row, terms)
    options = terms.mapping.values[row.values or ""]
    return next((word for word, value in options.items() if value == option), None)


def _choice_to_column(value: Canonical, row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values[row.values or ""].get(str(value)) if value else None


def _help_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = _text_of(reach(referral, row.referral))
    return next((w for w in terms.mapping.values["help"] if word and w.lower() == word.lower()), None)


def _help_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return terms.mapping.word("help", _column(opportunity, row, terms))


def _help_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values["help"].get(str(value)) if value else None


def _stage_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = (_text_of(reach(referral, row.referral)) or "").removesuffix("%").strip().lower()
    for name in ("stage", "stage_words"):
        for known, stage in terms.mapping.values[name].items():
            if known.lower() == word:
                return str(stage)
    return None


def _stage_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    """A stage that Partner Center has no word for counts as none, so that it is never sent as nothing."""
    stage = _column(opportunity, row, terms)
    return str(stage) if stage in terms.mapping.values["stage"].values() else None


def _stage_to_property(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    names = terms.mapping.values["stage_words" if terms.stage_words else "stage"]
    return next((word for word, stage in names.items() if str(stage) == value), None)


def _whole_number(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return int(str(value)) if value is not None else None


def _visibility_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    return "visible" if reach(referral, row.referral) is True else "not_visible"


def _visibility_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return terms.mapping.word("visibility", _column(opportunity, row, terms)) or "not_visible"


def _visibility_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    return terms.mapping.values["visibility"].get(str(value))


def _is_visible(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return value == "visible"


# -- solutions and customer --------------------------------------------------------------------------------------------
def _solutions_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    found = reach(referral, row.referral)
    ids = {solution_id(item.id) for item in found or () if isinstance(item, Solution)}
    return tuple(sorted(ids - {""})) or None


def _solutions_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return tuple(sorted(opportunity.solutions)) or None


def _nothing(_referral: Referral, _row: MappingRow, _terms: Terms) -> Canonical:
    """Partner Center's customer is compared by account matching when the deal arrives, never afterwards."""
    return None


def _customer_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return opportunity.account_id


def _country_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    code = _text_of(reach(referral, row.referral))
    return code.strip().upper() if code else None


def _size_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = _text_of(reach(referral, row.referral))
    sizes = {**terms.mapping.values["size_legacy"], **terms.mapping.values["size"]}
    found = next((count for known, count in sizes.items() if word and known.lower() == word.lower()), None)
    return str(found) if found is not None else None


RULES: dict[str, Rule] = {
    "text": Rule(_text_from_referral, _text_from_opportunity, as_crm=_cut, blank_to_pc=True, free_text=True),
    "name": Rule(_name_from_referral, _name_from_opportunity, as_crm=_cut_name),
    "notes": Rule(
        _text_from_referral, _text_from_opportunity, as_crm=_cut_notes,
        blank_to_crm=True, blank_to_pc=True, free_text=True,
    ),
    "money": Rule(_money_from_referral, _money_from_opportunity, to_column=_number, to_property=_number),
    "currency": Rule(_currency_from_referral, _currency_from_opportunity, to_column=_currency_to_column),
    "date": Rule(_day_from_referral, _day_from_opportunity, to_column=_day_to_column, to_property=_midnight),
    "moment": Rule(_moment_from_referral, _moment_from_opportunity, to_column=_moment_to_column),
    "stage": Rule(
        _stage_from_referral, _stage_from_opportunity, to_column=_whole_number, to_property=_stage_to_property
    ),
    "solutions": Rule(_solutions_from_referral, _solutions_from_opportunity),
    "visibility": Rule(
        _visibility_from_referral, _visibility_from_opportunity,
        to_column=_visibility_to_column, to_property=_is_visible, restores=True,
    ),
    "help": Rule(_help_from_referral, _help_from_opportunity, to_column=_help_to_column, restores=True),
    "customer": Rule(_nothing, _customer_from_opportunity),
    "choice": Rule(_choice_from_referral, _choice_from_opportunity, to_column=_choice_to_column),
    "country": Rule(_country_from_referral, _text_from_opportunity),
    "size": Rule(_size_from_referral, _text_from_opportunity, to_column=_whole_number),
}  # fmt: skip
