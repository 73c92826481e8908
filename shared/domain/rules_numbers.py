"""Rules for amounts, currencies, dates, times and the customer's size: exact decimals, UTC days, never floats."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.row import Lookup
from shared.domain.rule import Rule, column_of, text_from_opportunity, text_of
from shared.domain.state import Canonical
from shared.domain.terms import Terms


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
    value = column_of(opportunity, row, terms)
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
    value = column_of(opportunity, row, terms)
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat()
    return value.isoformat() if isinstance(value, date) else text_of(value)


def _midnight(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return f"{value}T00:00:00Z" if value else None


def _moment_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    moment = reach(referral, row.referral)
    return _seconds(moment) if isinstance(moment, datetime) else None


def _moment_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    value = column_of(opportunity, row, terms)
    return _seconds(value) if isinstance(value, datetime) else text_of(value)


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _day_to_column(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return date.fromisoformat(str(value)) if value else None


def _moment_to_column(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return datetime.fromisoformat(str(value)) if value else None


def _currency_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    code = text_of(reach(referral, row.referral))
    return code.strip().upper() if code else None


def _currency_from_opportunity(opportunity: Opportunity, _row: MappingRow, _terms: Terms) -> Canonical:
    return opportunity.currency


def _currency_to_column(value: Canonical, _row: MappingRow, terms: Terms) -> Any:
    known = terms.currencies.get(str(value))
    return Lookup("transactioncurrency", known.id) if known else None


def _size_from_referral(referral: Referral, row: MappingRow, terms: Terms) -> Canonical:
    word = text_of(reach(referral, row.referral))
    sizes = {**terms.mapping.values["size_legacy"], **terms.mapping.values["size"]}
    found = next((count for known, count in sizes.items() if word and known.lower() == word.lower()), None)
    return str(found) if found is not None else None


def _whole_number(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return int(str(value)) if value is not None else None


MONEY = Rule(_money_from_referral, _money_from_opportunity, to_column=_number, to_property=_number)
CURRENCY = Rule(_currency_from_referral, _currency_from_opportunity, to_column=_currency_to_column)
DATE = Rule(_day_from_referral, _day_from_opportunity, to_column=_day_to_column, to_property=_midnight)
MOMENT = Rule(_moment_from_referral, _moment_from_opportunity, to_column=_moment_to_column)
SIZE = Rule(_size_from_referral, text_from_opportunity, to_column=_whole_number)
