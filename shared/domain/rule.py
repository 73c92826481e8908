"""What a rule of the mapping table is, and the readings that several rules share. The rules themselves: `rules`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.domain import texts
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.paths import reach
from shared.domain.referral import Referral
from shared.domain.state import Canonical
from shared.domain.terms import Terms

type FromReferral = Callable[[Referral, MappingRow, Terms], Canonical]
type FromOpportunity = Callable[[Opportunity, MappingRow, Terms], Canonical]
type ToColumn = Callable[[Canonical, MappingRow, Terms], Any]
type ToProperty = Callable[[Canonical, MappingRow, Terms], Any]
type Sending = Callable[[Canonical, Canonical, Canonical, MappingRow, Terms], Canonical]
"""(Partner Center's value, the CRM's, the CRM's in the base) → what Partner Center is to hold."""


def unchanged(value: Canonical, _row: MappingRow, _terms: Terms) -> Any:
    return value


def as_it_is(_pc: Canonical, crm: Canonical, _base: Canonical, _row: MappingRow, _terms: Terms) -> Canonical:
    return crm


def never(_referral: Referral, _opportunity: Opportunity, _crm: Canonical) -> bool:
    return False


@dataclass(frozen=True)
class Rule:
    """One kind of value. `as_crm` is Partner Center's value as the CRM can hold it."""

    from_referral: FromReferral
    from_opportunity: FromOpportunity
    to_column: ToColumn = unchanged
    to_property: ToProperty = unchanged
    as_crm: Callable[[Canonical, MappingRow, Terms], Canonical] = unchanged
    sent: Sending = as_it_is
    """What Partner Center is to hold when the CRM's value travels."""
    refused: Callable[[Referral, Opportunity, Canonical], bool] = never
    """Whether Partner Center takes this value of the CRM's no more, however the row says that it travels."""
    blank_to_crm: bool = False
    """Whether an emptied value at Partner Center empties the column."""
    blank_to_pc: bool = False
    """Whether an emptied column empties the value at Partner Center."""
    restores: bool = False
    """Whether a refused change is undone in the CRM (Partner Center cannot take it back)."""
    beside: Callable[[Canonical, MappingRow, Terms], dict[str, Any]] | None = None
    """Columns that follow from Partner Center's value: written along with the row's own, never compared, never sent."""
    related: bool = False
    """Whether the CRM holds it in other rows, which the handlers match, make and write."""
    independent: bool = False
    """Whether the sides may differ for good: without a base they are agreed, only a later change travels."""
    free_text: bool = False
    """Whether the audit shows only length and hash."""


def column_of(opportunity: Opportunity, row: MappingRow, _terms: Terms) -> Any:
    return opportunity.row.values.get(row.column)


_NO_TEXT = (bool, dict, list)


def text_of(value: Any) -> str | None:
    if value is None or isinstance(value, _NO_TEXT):
        return None
    return texts.normal(str(value)) or None


def text_from_referral(referral: Referral, row: MappingRow, _terms: Terms) -> Canonical:
    return text_of(reach(referral, row.referral))


def text_from_opportunity(opportunity: Opportunity, row: MappingRow, terms: Terms) -> Canonical:
    return text_of(column_of(opportunity, row, terms))
