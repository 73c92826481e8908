"""The rows of the Dataverse fake: versions, indexes, comparison as the database compares, and who listens to changes.

Knows nothing of columns and rules: those are in `dataverse_values` and `dataverse`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ports import Clock, Condition, Lookup, Row

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "ge": lambda left, right: left >= right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
    "lt": lambda left, right: left < right,
}
type Stored = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One write, as a step of Dataverse's pipeline sees it. `columns` are those sent, changed or not."""

    message: str
    table: str
    row_id: str
    columns: frozenset[str]
    user_id: str
    before: Stored
    at: datetime


class Views(dict[tuple[str, str], dict[tuple[str, ...], Row]]):
    """(table, row id) → columns → the row's present version as it was read with these columns.

    Right because a row is only ever replaced as a whole, which ends its views, and what is read is frozen. Most rows
    are read many times a version. A copy of the rows begins without.
    """

    def __reduce__(self) -> tuple[type[Views], tuple[()]]:
        return Views, ()


class Rows:
    """All rows of an environment, their versions and their indexes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.on_change: list[Callable[[Change], None]] = []
        self.variables: dict[str, str] = {}
        self.ids = random.Random(7)
        self.views = Views()
        self._version = 7_700_000
        self._rows: defaultdict[str, dict[str, Stored]] = defaultdict(dict)
        self._indexes: dict[tuple[str, str], defaultdict[Any, set[str]]] = {}

    def get(self, table: str, row_id: str) -> Stored | None:
        return self._rows[table].get(row_id)

    def all(self, table: str) -> dict[str, Stored]:
        return self._rows[table]

    def everything(self) -> Iterator[Stored]:
        """The rows of all tables; a row is never changed, only replaced."""
        return (row for rows in self._rows.values() for row in rows.values())

    def view(self, table: str, row_id: str, columns: Sequence[str]) -> Row:
        """A row that exists, read with these columns and without related rows."""
        views, wanted = self.views.setdefault((table, row_id), {}), tuple(columns)
        view = views.get(wanted)
        if view is None:
            row = self._rows[table][row_id]
            view = views[wanted] = Row(table, row_id, etag_of(row), {name: row.get(name) for name in wanted})
        return view

    def put(self, table: str, row_id: str, row: Stored) -> None:
        """Store a whole row as a new version."""
        self.remove(table, row_id)
        self._version += 1
        row["versionnumber"] = self._version
        self._rows[table][row_id] = row
        for (indexed, column), index in self._indexes.items():
            if indexed == table:
                index[comparable(row.get(column))].add(row_id)

    def remove(self, table: str, row_id: str) -> None:
        row = self._rows[table].pop(row_id, None)
        self.views.pop((table, row_id), None)
        if row is not None:
            for (indexed, column), index in self._indexes.items():
                if indexed == table:
                    index[comparable(row.get(column))].discard(row_id)

    def equal(self, table: str, column: str, value: Any) -> set[str]:
        """Ids of the rows whose column has this value."""
        index = self._indexes.get((table, column))
        if index is None:
            index = self._indexes[table, column] = defaultdict(set)
            for row_id, row in self._rows[table].items():
                index[comparable(row.get(column))].add(row_id)
        return index.get(comparable(value), set())

    def candidates(self, table: str, where: Sequence[Condition]) -> Iterable[str]:
        """Ids of rows among which are all that meet the conditions: the fewest that an index knows of."""
        found: Iterable[str] | None = None
        fewest = len(self._rows[table]) + 1
        for condition in where:
            if condition.operator == "eq":
                ids = self.equal(table, condition.column, condition.value)
            elif condition.operator == "in":
                ids = set().union(*(self.equal(table, condition.column, value) for value in condition.value))
            else:
                continue
            if len(ids) < fewest:
                found, fewest = ids, len(ids)
        return self._rows[table].keys() if found is None else found


def etag_of(row: Stored) -> str:
    return f'W/"{row["versionnumber"]}"'


def comparable(value: Any) -> Any:
    """Text compares without case and trailing blanks, lookups by their row."""
    if isinstance(value, str):
        return value.rstrip(" ").casefold()
    return value.id if isinstance(value, Lookup) else value


def meets(row: Stored, condition: Condition) -> bool:
    have = comparable(row.get(condition.column))
    if condition.operator == "in":
        return have in [comparable(value) for value in condition.value]
    want = comparable(condition.value)
    if condition.operator in ("eq", "ne"):
        return bool((have == want) == (condition.operator == "eq"))
    return have is not None and want is not None and _COMPARE[condition.operator](have, want)


def sortable(value: Any) -> tuple[bool, Any]:
    """Missing values come first."""
    return (value is not None, comparable(value) if value is not None else 0)
