"""Dataverse's message about a changed row (RemoteExecutionContext), reduced to what a flow needs. Pure.

The body is the .NET JSON of the execution context: dictionaries are arrays of key and value, `__type` may be anywhere,
an oversized message lacks targets and images. Tolerant of missing and unknown members; source: Azure integration pages
of the Dataverse documentation. Only ids, the message name and switches matter: everything else is read again. What goes
back to a queue is `RowEvent.essence`, so that no word of a deal travels on or lies about.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import DataProblem
from shared.messages import Reducible

_PRE = "pre"
_NOBODY = uuid.UUID(int=0)
_TAG = "cosell-sync"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True)
class RowEvent(Reducible):
    """One change. `target` and `before` hold plain values; lookups are (table, id)."""

    message: str
    """Create, Update or Delete."""
    table: str
    row_id: uuid.UUID
    user_id: str
    operation_id: str
    organization_id: str
    tagged: bool = False
    """Whether the change carries our own tag."""
    complete: bool = True
    """False when Dataverse cut the message: then nothing can be concluded from what is absent."""
    target: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str = ""

    def essence(self) -> str:
        """The message again, in Dataverse's form but without texts: ids, choices, numbers and switches."""
        context: dict[str, Any] = {
            "MessageName": self.message,
            "PrimaryEntityName": self.table,
            "PrimaryEntityId": str(self.row_id),
            "InitiatingUserId": self.user_id,
            "OperationId": self.operation_id,
            "CorrelationId": self.correlation_id,
            "OrganizationId": self.organization_id,
            "SharedVariables": [{"key": "tag", "value": _TAG}] if self.tagged else [],
            "InputParameters": [{"key": "Target", "value": _entity(self.target)}] if self.complete else [],
            "PreEntityImages": [{"key": _PRE, "value": _entity(self.before)}],
        }
        return json.dumps(context)

    def known(self, column: str) -> Any:
        """The column's value after the change where the message tells, else before it, else None."""
        return self.target[column] if column in self.target else self.before.get(column)


def parse(body: bytes | str, tag: str = _TAG) -> RowEvent:
    """The event in a message's body; `DataProblem` UNREADABLE_MESSAGE when it is none."""
    try:
        text = body.decode("utf-8-sig") if isinstance(body, bytes) else body.removeprefix("\ufeff")
        context = json.loads(text)
        if not isinstance(context, dict):
            raise TypeError("it is not a JSON object")
        row_id = uuid.UUID(str(context["PrimaryEntityId"]))
        message, table = str(context["MessageName"]), str(context["PrimaryEntityName"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataProblem(
            "UNREADABLE_MESSAGE",
            f"The message is not a Dataverse change: {_why(error)}.",
            "Check the service endpoint's message format (JSON) and who else sends to this queue; then discard it.",
        ) from None
    parameters = _pairs(context.get("InputParameters"))
    target = parameters.get("Target")
    return RowEvent(
        message=message,
        table=table.lower(),
        row_id=row_id,
        user_id=str(context.get("InitiatingUserId") or "").lower(),
        operation_id=_operation(context),
        organization_id=str(context.get("OrganizationId") or "").lower(),
        tagged=_tagged(context, tag),
        complete=bool(parameters),
        target=_attributes(target),
        before=_attributes(_pairs(context.get("PreEntityImages")).get(_PRE)),
        correlation_id=str(context.get("CorrelationId") or ""),
    )


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    return (
        "its JSON cannot be read" if isinstance(error, json.JSONDecodeError) else str(error) or "it is nested too deep"
    )


def _operation(context: Mapping[str, Any]) -> str:
    """The system job's id: the same when Dataverse posts a change twice."""
    operation = str(context.get("OperationId") or _NOBODY)
    if operation != str(_NOBODY):
        return operation
    owner = context.get("OwningExtension") or {}
    step = owner.get("Id") if isinstance(owner, dict) else ""
    return (
        "/".join(str(context.get(name)) for name in ("OperationCreatedOn", "CorrelationId", "MessageName")) + f"/{step}"
    )


def _pairs(value: Any) -> dict[str, Any]:
    """A .NET dictionary: an array of {key, value}."""
    items = value if isinstance(value, list) else []
    return {str(item["key"]): item.get("value") for item in items if isinstance(item, dict) and "key" in item}


def _attributes(entity: Any) -> dict[str, Any]:
    found = _pairs(entity.get("Attributes")) if isinstance(entity, dict) else {}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind = str(value.get("__type", "")).split(":", 1)[0]
    if kind == "EntityReference" or ("LogicalName" in value and "Id" in value):
        return (value.get("LogicalName"), value.get("Id"))
    return value.get("Value", value.get("__value"))


def _entity(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `_attributes`, for values without words; a text becomes null."""
    return {"Attributes": [{"key": name, "value": _wordless(name, value)} for name, value in attributes.items()]}


def _wordless(column: str, value: Any) -> Any:
    match value:
        case bool() | int() | float():
            return value
        case (str() as table, str() as row_id):
            return {"LogicalName": table, "Id": row_id}
        case str() if _GUID.fullmatch(value) or (column.endswith("identifier") and _ID.fullmatch(value)):
            return value
        case _:
            return None


def _tagged(context: Mapping[str, Any], tag: str) -> bool:
    """Our tag may stand in the shared variables of the context or of any ancestor."""
    level: Any = context
    for _ in range(16):
        if not isinstance(level, dict):
            return False
        if _pairs(level.get("SharedVariables")).get("tag") == tag:
            return True
        level = level.get("ParentContext")
    return False
