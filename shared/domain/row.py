"""A Dataverse row as the domain sees it: plain values under logical names, lookups as table and id.

No wire format here: `shared.clients.dataverse` turns these into OData and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

type Values = Mapping[str, Any]
"""Logical column name → str, int, Decimal, bool, date, datetime, None or `Lookup`."""


@dataclass(frozen=True)
class Lookup:
    """A reference to a row: `table` is the logical name, `id` a lower-case GUID."""

    table: str
    id: str


@dataclass(frozen=True)
class Row:
    """One Dataverse row as read. `etag` is opaque (`W/"…"`). Lookups stand in `values` under their column's name."""

    table: str
    id: str
    etag: str
    values: Values
    expanded: Mapping[str, Row | list[Row] | None] = field(default_factory=dict)
    """Related rows asked for with `expand`, under the name of the lookup column or of the child table."""

    def text(self, column: str) -> str | None:
        """A text column, blank as None."""
        value = self.values.get(column)
        return value if isinstance(value, str) and value.strip() else None

    def lookup(self, column: str) -> Lookup | None:
        value = self.values.get(column)
        return value if isinstance(value, Lookup) else None

    def related(self, name: str) -> Row | None:
        """The expanded row of a lookup column."""
        value = self.expanded.get(name)
        return value if isinstance(value, Row) else None

    def children(self, table: str) -> list[Row]:
        """The expanded rows of a child table."""
        value = self.expanded.get(table)
        return value if isinstance(value, list) else []
