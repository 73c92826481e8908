"""Dataverse's OData dialect: queries and bodies from logical names and Python values, and rows back from answers.

Text gets into URLs through `shared.clients.odata` alone. Pure; `kinds` (column → AttributeType) come from the metadata
that `shared.clients.dataverse` reads, since JSON alone cannot tell a date from a text that looks like one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared.clients.dataverse_tables import EXPANDED_OWNER, Table, table
from shared.clients.odata import literal
from shared.errors import Bug
from shared.ports import Condition, Lookup, Row, Values

type Kinds = Mapping[str, str]

_OPERATORS = {"eq", "ne", "ge", "gt", "le", "lt", "in"}
_POINTS_TO = "@Microsoft.Dynamics.CRM.lookuplogicalname"


def row_path(name: str, row_id: str) -> str:
    """`/opportunities(3c9e…)`."""
    return f"/{table(name).set_name}({_guid(row_id)})"


def select(name: str, columns: Iterable[str]) -> str:
    """The columns as the Web API names them, with the key, which it needs no naming for but simulators may."""
    this = table(name)
    return ",".join(dict.fromkeys([this.key, *(_readable(this, column) for column in columns)]))


def where(name: str, conditions: Sequence[Condition]) -> str:
    """The conditions joined by *and*."""
    this = table(name)
    return " and ".join(_comparison(this, condition) for condition in conditions)


def _comparison(this: Table, condition: Condition) -> str:
    if _operator(condition) == "in":
        each = (_comparison(this, Condition(condition.column, value)) for value in condition.value)
        return f"({' or '.join(each)})"
    return f"{_readable(this, condition.column)} {condition.operator} {_literal(this, condition)}"


def order(name: str, order_by: str) -> str:
    """`"modifiedon desc"` with the column as the Web API names it."""
    column, _, direction = order_by.partition(" ")
    return f"{_readable(table(name), column)} {direction}".strip()


def expand(name: str, wanted: Mapping[str, Sequence[str]], kinds_of: Mapping[str, Kinds]) -> str:
    """`nav($select=…),…` for lookup columns and child tables."""
    parts = []
    for key, columns in wanted.items():
        for target, navigation in navigations(name, key).items():
            # A lookup with several targets is asked with one list of columns; each target has some of them.
            asked = columns if len(navigations(name, key)) == 1 else [c for c in columns if c in kinds_of[target]]
            parts.append(f"{navigation}($select={select(target, asked)})")
    return ",".join(parts)


def navigations(name: str, key: str) -> Mapping[str, str]:
    """Target table → navigation property, for a lookup column or a child table to expand."""
    this = table(name)
    if key == "ownerid":
        return {"systemuser": EXPANDED_OWNER["systemuser"]}
    if key in this.children:
        return {key: this.children[key]}
    if key in this.lookups:
        return this.lookups[key]
    raise Bug("DV_EXPAND", f"{name} has no lookup or child table {key}.", "Correct the field mapping.")


def body(name: str, values: Values) -> dict[str, Any]:
    """The JSON object that writes `values`; Decimals and moments are left to `shared.clients.wire`."""
    this = table(name)
    written: dict[str, Any] = {}
    for column, value in values.items():
        if isinstance(value, Lookup):
            target = this.lookups.get(column, {}).get(value.table)
            if target is None:
                raise Bug("DV_LOOKUP", f"{name}.{column} cannot point to {value.table}.", "Correct the field mapping.")
            written[f"{target}@odata.bind"] = row_path(value.table, value.id)
        elif column in this.lookups:
            if value is not None:
                raise Bug("DV_LOOKUP", f"{name}.{column} takes a row, not a value.", "Correct the field mapping.")
            written[f"{next(iter(this.lookups[column].values()))}@odata.bind"] = None
        elif isinstance(value, datetime):
            written[column] = value.astimezone(UTC).replace(microsecond=0)  # Dataverse keeps whole seconds
        else:
            written[column] = value
    return written


def row(
    name: str,
    document: Mapping[str, Any],
    columns: Sequence[str],
    kinds_of: Mapping[str, Kinds],
    expanded: Mapping[str, Sequence[str]] | None = None,
) -> Row:
    """The row in an answer. `KeyError` when the answer lacks the key."""
    this = table(name)
    return Row(
        table=name,
        id=str(document[this.key]).lower(),
        etag=str(document.get("@odata.etag", "")),
        values={column: _value(this, document, column, kinds_of[name]) for column in columns},
        expanded={key: _related(name, key, asked, document, kinds_of) for key, asked in (expanded or {}).items()},
    )


def _related(
    name: str, key: str, columns: Sequence[str], document: Mapping[str, Any], kinds_of: Mapping[str, Kinds]
) -> Row | list[Row] | None:
    for target, navigation in navigations(name, key).items():
        found = document.get(navigation)
        known = [column for column in columns if column in kinds_of[target]]
        if isinstance(found, list):
            return [row(target, item, known, kinds_of) for item in found]
        if isinstance(found, dict):
            return row(target, found, known, kinds_of)
    return [] if key in table(name).children else None


def _value(this: Table, document: Mapping[str, Any], column: str, kinds: Kinds) -> Any:
    raw = document.get(_readable(this, column))
    if raw is None:
        return None
    if column in this.lookups:
        targets = this.lookups[column]
        return Lookup(str(document.get(f"_{column}_value{_POINTS_TO}") or next(iter(targets))), str(raw).lower())
    match kinds.get(column):
        case "DateTime":
            text = str(raw)
            return date.fromisoformat(text) if len(text) == len("2026-10-30") else datetime.fromisoformat(text)
        case "Money" | "Decimal" | "Double":
            return Decimal(str(raw))
        case _:
            return raw


def _readable(this: Table, column: str) -> str:
    return f"_{column}_value" if column in this.lookups else column


def _operator(condition: Condition) -> str:
    if condition.operator not in _OPERATORS:
        raise Bug("DV_OPERATOR", f"There is no operator {condition.operator}.", "Use eq, ne, ge, gt, le, lt or in.")
    return condition.operator


def _literal(this: Table, condition: Condition) -> str:
    value = condition.value
    match value:
        case None:
            return "null"
        case Lookup():
            return _guid(value.id)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _ if condition.column == this.key or condition.column in this.lookups:
            return _guid(str(value))
        case _:
            return literal(str(value))


def _guid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Bug("DV_ID", "A row id is not a GUID.", "Report this with the correlation id.") from None
