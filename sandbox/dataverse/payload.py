"""The JSON that .NET's DataContractJsonSerializer makes of an execution context: `__type` first, dictionaries as arrays
of key and value, slashes and control characters escaped, decimals with their scale.

`Shape` holds the variants; what goes into a message is decided in `events`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import CHOICES, Column, Table
from sandbox.dataverse.store import Ref, Row

_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_ESCAPED = re.compile(r'[\x00-\x1f"\\/]')
NO_ONE = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Snapshot:
    """Columns of a row at one moment. A value of None says: was cleared; in images such columns are left out."""

    table: Table
    id: str
    values: Mapping[str, Any]
    row: Row
    """The whole row, for the currency of formatted values."""


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def reference(ref: Ref, *, typed: bool = True) -> dict[str, Any]:
    """An EntityReference; untyped where the declared .NET type says it already."""
    body: dict[str, Any] = {
        "Id": ref.id,
        "KeyAttributes": [],
        "LogicalName": ref.table,
        "Name": None,
        "RowVersion": None,
    }
    return {"__type": f"EntityReference:{_CONTRACTS}", **body} if typed else body


def entity(env: Environment, snapshot: Snapshot, *, typed: bool, formatted: bool) -> dict[str, Any]:
    """An Entity: typed and with nulls as a Target, untyped and without them as an image."""
    offset = "+0000" if env.events.date_offset else ""
    attributes, texts = [], []
    for name, value in snapshot.values.items():
        column = snapshot.table.columns[name]
        if value is None and not typed:
            continue
        attributes.append({"key": name, "value": attribute(column, value, offset)})
        if formatted and value is not None:
            text = _formatted(env, column, value, snapshot.row)
            texts += [{"key": name, "value": text}] if text is not None else []
    body: dict[str, Any] = {
        "Attributes": attributes,
        "EntityState": None,
        "FormattedValues": texts,
        "Id": snapshot.id,
        "KeyAttributes": [],
        "LogicalName": snapshot.table.name,
        "RelatedEntities": [],
        "RowVersion": None,
    }
    return {"__type": f"Entity:{_CONTRACTS}", **body} if typed else body


def attribute(column: Column, value: Any, offset: str = "") -> Any:
    """One column's value as an attribute."""
    if value is None:
        return None
    if isinstance(value, Ref):
        return reference(value)
    if column.kind == "Money":
        return {"__type": f"Money:{_CONTRACTS}", "Value": value}
    if column.kind in CHOICES:
        return _option(value)
    if column.kind == "MultiSelectPicklist":
        return [_option(choice) for choice in value]
    if column.kind == "DateTime":
        moment = datetime.fromisoformat(value)
        return date(moment if moment.tzinfo else moment.replace(tzinfo=UTC), offset)
    return value


def date(moment: datetime, offset: str = "") -> str:
    """`/Date(ms)/`; the offset is decoration, the number is always UTC."""
    return f"/Date({int(moment.timestamp()) * 1000}{offset})/"


def dump(value: Any) -> str:
    """JSON as the platform writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_ESCAPED.sub(_escape, value)}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{dump(key)}:{dump(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ",".join(dump(inner) for inner in value) + "]"
    raise TypeError(f"an execution context holds no {type(value).__name__}")


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return f"\\u{ord(character):04x}" if character < " " else f"\\{character}"


def _option(value: int) -> dict[str, Any]:
    return {"__type": f"OptionSetValue:{_CONTRACTS}", "Value": value}


def _formatted(env: Environment, column: Column, value: Any, row: Row) -> str | None:
    if column.kind in CHOICES or column.kind in ("Money", "DateTime", "Boolean", "MultiSelectPicklist"):
        return env.formatted(column, value, row)
    return None
