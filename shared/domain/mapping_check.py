"""Holds a mapping against a Dataverse environment's metadata: missing columns, wrong types, absent options. Pure.

Used at start, where only what makes synchronising impossible counts, and by `python -m admin mapping check`, which
shows everything and what Partner Center requires besides.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Protocol

from shared.domain.mapping import TABLES, Mapping, MappingRow
from shared.domain.opportunity import SOLUTION_TABLE


class Column(Protocol):
    """What metadata say of a column; `kind` is the AttributeType."""

    @property
    def kind(self) -> str: ...
    @property
    def options(self) -> Dictionary[int, str]: ...


_TEXT = frozenset({"String", "Memo"})
_CHOICE = frozenset({"Picklist", "State", "Status", "Integer"})
FITTING: dict[str, frozenset[str]] = {
    "name": _TEXT,
    "text": _TEXT,
    "notes": _TEXT,
    "country": _TEXT,
    "money": frozenset({"Money", "Decimal", "Double"}),
    "currency": frozenset({"Lookup"}),
    "date": frozenset({"DateTime"}),
    "moment": frozenset({"DateTime"}),
    "stage": _CHOICE,
    "visibility": _CHOICE,
    "help": _CHOICE,
    "choice": _CHOICE,
    "customer": frozenset({"Lookup", "Customer"}),
    "owner": frozenset({"Owner"}),
    "contact": frozenset({"Lookup"}),
    "size": frozenset({"Integer", "BigInt"}),
}
"""Rule → column types it can read and write."""
REQUIRED = (
    "name",
    "customerProfile.name",
    "customerProfile.address.addressLine1",
    "customerProfile.address.city",
    "customerProfile.address.country",
    "details.dealValue",
    "details.currency",
    "details.closingDateTime",
    "details.requirements.solutions",
)
"""Properties without which Partner Center takes no deal; contact, team and consent are the connector's own."""


@dataclass(frozen=True)
class Finding:
    """One row of the check. `problem` is None where all is well; `fatal` where the app cannot start like this."""

    table: str
    row: MappingRow
    kind: str | None
    problem: str | None = None
    fatal: bool = False


def check(mapping: Mapping, columns: Dictionary[str, Dictionary[str, Column]]) -> list[Finding]:
    """One finding per row; `columns` is table → column → metadata."""
    return [_row(mapping, table, row, columns[table]) for table in TABLES for row in getattr(mapping, table)]


def unmapped(mapping: Mapping) -> list[str]:
    """Required properties that no row fills when a deal is created from the CRM."""
    sent = {row.referral for row in mapping.opportunity if "create" in row.to_pc}
    sent |= {row.referral for row in mapping.account}
    return [path for path in REQUIRED if path not in sent]


def _row(mapping: Mapping, table: str, row: MappingRow, columns: Dictionary[str, Column]) -> Finding:
    if row.column == SOLUTION_TABLE:
        return Finding(table, row, "table")
    column = columns.get(row.column)
    if column is None:
        return Finding(table, row, None, f"there is no column {table}.{row.column}", fatal=True)
    if column.kind not in FITTING[row.rule]:
        wanted = " or ".join(sorted(FITTING[row.rule]))
        problem = f"rule {row.rule} needs a column of type {wanted}; {row.column} is {column.kind}"
        return Finding(table, row, column.kind, problem, fatal=True)
    absent = _absent_options(mapping, row, column)
    if absent:
        problem = f"{row.column} has no option {', '.join(map(str, absent))} of the value map"
        return Finding(table, row, column.kind, problem)
    return Finding(table, row, column.kind)


def _absent_options(mapping: Mapping, row: MappingRow, column: Column) -> list[int]:
    name = row.values if row.rule == "choice" else {"help": "help", "visibility": "visibility"}.get(row.rule)
    if name is None or not column.options:
        return []
    return sorted({int(option) for option in mapping.values[name].values()} - set(column.options))
