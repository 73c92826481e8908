"""Column values between three forms: JSON of the Web API, the stored form (see `store.Row`), and text for people.

`parse` refuses what Dataverse refuses: wrong literal, too long, out of range, not a choice. Lookups are resolved in
`binding`, since they need other rows.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse.schema import CHOICES, TEXTS, Column, Table
from sandbox.dataverse.store import Ref
from sandbox.tokens import Refusal

_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_EDM = {
    "Integer": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Decimal": "Edm.Decimal",
    "Money": "Edm.Decimal",
    "Double": "Edm.Double",
    "Boolean": "Edm.Boolean",
    "Uniqueidentifier": "Edm.Guid",
    "MultiSelectPicklist": "Edm.String",
}


def is_guid(text: str) -> bool:
    return _GUID.match(text) is not None


def edm_type(column: Column) -> str:
    """The OData type of a column's Web API property."""
    if column.is_lookup:
        return "Edm.Guid"
    if column.kind == "DateTime":
        return "Edm.Date" if column.date_only else "Edm.DateTimeOffset"
    return _EDM.get(column.kind, "Edm.Int32" if column.kind in CHOICES else "Edm.String")


def parse(table: Table, column: Column, value: Any) -> Any:
    """The stored form of a JSON value (fractions as Decimal); None clears."""
    if value is None or (value == "" and column.kind in TEXTS):
        return None  # Dataverse keeps empty text as null
    if column.kind in TEXTS:
        return _text(table, column, value)
    if column.kind in ("Integer", "BigInt"):
        return _in_range(table, column, _number(table, column, value, whole=True))
    if column.kind in ("Decimal", "Money", "Double"):
        return _in_range(table, column, Decimal(_number(table, column, value, whole=False)))
    if column.kind == "Boolean":
        if not isinstance(value, bool):
            raise _wrong_literal(table, column, value)
        return value
    if column.kind in CHOICES:
        return _choice(table, column, _number(table, column, value, whole=True))
    if column.kind == "MultiSelectPicklist":
        return _choices(table, column, value)
    if column.kind == "DateTime":
        return _moment(table, column, value)
    if column.kind == "Uniqueidentifier" and isinstance(value, str) and is_guid(value):
        return value.lower()
    raise _wrong_literal(table, column, value)


def to_json(column: Column, value: Any) -> Any:
    """The Web API's form of a stored value."""
    if isinstance(value, Ref):
        return value.id
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, tuple):
        return ",".join(str(choice) for choice in value)
    return value


def labelled(column: Column, value: Any) -> str | None:
    """The formatted value of everything but lookups and Money, in the organisation's locale (en-US)."""
    if column.kind in CHOICES:
        return column.option_label(value)
    if column.kind == "MultiSelectPicklist":
        return "; ".join(column.option_label(choice) or str(choice) for choice in value)
    if column.kind == "Boolean":
        return "Yes" if value else "No"
    if column.kind == "DateTime":
        moment = datetime.fromisoformat(value)
        day = f"{moment.month}/{moment.day}/{moment.year}"
        return day if column.date_only else f"{day} {moment.hour % 12 or 12}:{moment:%M %p}"
    if column.kind in ("Integer", "BigInt"):
        return f"{value:,}"
    if column.kind in ("Decimal", "Double"):
        return f"{value:,f}"
    return None


def stamp(moment: datetime) -> str:
    """A date-time column's text: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(table: Table, column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_literal(table, column, value)
    units = len(value.encode("utf-16-le")) // 2
    if column.max_length is not None and units > column.max_length:
        raise Refusal(
            400,
            "0x80044331",
            f"A validation error occurred. The length of the '{column.name}' attribute of the '{table.name}' entity"
            f" exceeded the maximum allowed length of '{column.max_length}'.",
        )
    return value


def _number(table: Table, column: Column, value: Any, *, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or (whole and not isinstance(value, int)):
        raise _wrong_literal(table, column, value)
    return value


def _in_range(table: Table, column: Column, value: Any) -> Any:
    low, high = column.min, column.max
    if (low is None or value >= low) and (high is None or value <= high):
        return value
    code = "0x8004432f" if column.kind in ("Integer", "BigInt") else "0x80044330"
    raise Refusal(
        400,
        code,
        f"A validation error occurred. The value of '{column.name}' on record of type '{table.name}' is outside the"
        f" valid range. Accepted Values: {_plain(low)} to {_plain(high)}",
    )


def _choice(table: Table, column: Column, value: int) -> int:
    if any(option.value == value for option in column.options):
        return value
    accepted = ",".join(str(option.value) for option in column.options)
    raise Refusal(
        400,
        "0x8004431a",
        f"A validation error occurred. The value {value} of '{column.name}' on record of type '{table.name}' is outside"
        f" the valid range. Accepted Values: {accepted}",
    )


def _choices(table: Table, column: Column, value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, str):
        raise _wrong_literal(table, column, value)
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    if not all(number.lstrip("-").isdigit() for number in numbers):
        raise _wrong_literal(table, column, value)
    return tuple(sorted({_choice(table, column, int(number)) for number in numbers})) or None


def _moment(table: Table, column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_literal(table, column, value)
    try:
        if column.date_only:
            return date.fromisoformat(value).isoformat() if len(value) == 10 else _fail()
        moment = datetime.fromisoformat(value)
        return stamp(moment) if moment.tzinfo is not None else _fail()
    except ValueError as error:
        raise _wrong_literal(table, column, value) from error


def _fail() -> str:
    raise ValueError("not the form the column takes")


def _wrong_literal(table: Table, column: Column, value: Any) -> Refusal:
    return errors.payload(
        table.set_name,
        f"Cannot convert the literal '{value}' to the expected type '{edm_type(column)}' (property '{column.name}').",
    )


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:.0f}"
