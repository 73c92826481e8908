"""What the Dataverse fake accepts: known columns, value types, lengths, choices, states; and the errors it answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, NoReturn

from shared.errors import ConfigurationError, Conflict, DataProblem
from shared.ports import Values
from tests.fakes.dataverse_rows import Stored
from tests.fakes.dataverse_schema import Definition, Field, tables


def definition_of(table: str) -> Definition:
    found = tables().get(table)
    if found is None:
        raise ConfigurationError("DV_TABLE", f"This Dynamics 365 environment has no table {table}.")
    return found


def field_of(definition: Definition, name: str) -> Field:
    return definition.fields.get(name) or wrong(definition, name)


@cache
def know_columns(table: str, columns: tuple[str, ...]) -> None:
    """Refuse a column that the table does not have; every list of columns is looked at once."""
    for column in columns:
        field_of(definition_of(table), column)


@cache
def known_columns(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the columns that the table has."""
    return tuple(column for column in columns if column in definition_of(table).fields)


def wrong(definition: Definition, column: str) -> NoReturn:
    raise ConfigurationError(
        "DV_COLUMN",
        "Dynamics 365 does not know a column, or has it with another type.",
        detail=f"{definition.name}.{column}",
    )


def duplicate() -> Conflict:
    return Conflict("DV_DUPLICATE", "Dynamics 365 has a row with this id or key already.", "Nothing to do.")


def refused(words: str) -> DataProblem:
    """HTTP 400 with the vendor's own words."""
    sentence = "Dynamics 365 refused the data (HTTP 400)."
    return DataProblem("DV_REJECTED", sentence, "Correct what its own words name, then save.", detail=words)


def stored_value(definition: Definition, field: Field, value: Any) -> Any:
    match field.kind:
        case "String" | "Memo" if isinstance(value, str):
            if field.max_length is not None and len(value.encode("utf-16-le")) // 2 > field.max_length:
                raise DataProblem("DV_LIMIT", "A value is longer or larger than its column in Dynamics 365 allows.")
            return value
        case "Picklist" | "State" | "Status" if isinstance(value, int):
            if value not in field.options:
                raise DataProblem("DV_CHOICE", "Dynamics 365 does not have this choice.")
            return value
        case "Boolean" if isinstance(value, bool):
            return value
        case "Integer" | "BigInt" if isinstance(value, int) and not isinstance(value, bool):
            return _in_range(field, value)
        case "Money" if isinstance(value, int | Decimal):
            return _in_range(field, Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP))
        case "Decimal" | "Double" if isinstance(value, int | Decimal):
            return _in_range(field, Decimal(value))
        case "DateTime" if field.date_only and isinstance(value, date) and not isinstance(value, datetime):
            return value
        case "DateTime" if not field.date_only and isinstance(value, datetime):
            return value.astimezone(UTC).replace(microsecond=0)
        case "Uniqueidentifier" if isinstance(value, str):
            return value.lower()
        case _:
            return wrong(definition, field.name)


def _in_range(field: Field, value: Any) -> Any:
    if (field.low is not None and value < field.low) or (field.high is not None and value > field.high):
        raise DataProblem("DV_LIMIT", "A value is longer or larger than its column in Dynamics 365 allows.")
    return value


def new_state(definition: Definition, row: Stored, sent: Values) -> Values:
    """State and reason after an update that named one or both."""
    reason, state = sent.get("statuscode"), sent.get("statecode")
    if reason is None:
        state = row["statecode"] if state is None else state
        same = state == row["statecode"]
        reason = row["statuscode"] if same else next(r for r, s in definition.reasons.items() if s == state)
    elif state is not None and definition.reasons[reason] != state:
        raise refused("state and reason")
    state = definition.reasons[reason]
    if definition.name == "opportunity" and state not in (0, row["statecode"]):
        raise refused("use the action")
    return {"statecode": state, "statuscode": reason}


def keep_customer(row: Stored, sent: Values) -> None:
    """The potential customer and the two parents say the same thing; whichever was sent leads."""
    if "customerid" in sent:
        customer = row.get("customerid")
        if customer is not None:
            parent = "parentaccountid" if customer.table == "account" else "parentcontactid"
            if parent not in sent:
                row[parent] = customer
    elif "parentaccountid" in sent or "parentcontactid" in sent:
        row["customerid"] = row.get("parentaccountid") or row.get("parentcontactid")
