"""JSON Patch as the referrals API takes it: `replace` and `add` on a closed list of paths, all or nothing.

The list is that of the vendor's own connector, and `/name`, which the portal can edit. `apply` returns a new document
and changes nothing; what the new document may be is decided by `rules.check_change`.
"""

from __future__ import annotations

import copy
import re
from datetime import datetime
from typing import Any

from sandbox.layout import new_guid
from sandbox.partner_center import schema
from sandbox.partner_center.document import complete
from sandbox.partner_center.schema import invalid
from sandbox.partner_center.stamps import stamp
from sandbox.partner_center.store import Document

_REPLACEABLE = {
    "/name",
    "/status",
    "/substatus",
    "/statusReason",
    "/externalReferenceId",
    "/campaignId",
    "/salesStage",
    "/referralProgram",
    "/details/dealValue",
    "/details/currency",
    "/details/notes",
    "/details/closingDateTime",
    "/details/requirements/solutions",
    "/team",
    "/customerProfile/team",
    "/consent/consentToShareReferralWithMicrosoftSellers",
}
_APPENDABLE = {"/details/requirements/solutions/-", "/team/-", "/customerProfile/team/-"}
_REGISTRATION_PART = re.compile(
    r"/registrations/(?P<registration>\d+)/(?:contract/\w+"
    r"|solutionDetails/(?P<detail>\d+)/(?:\w+|marketplaceTransactionDetails/\w+))"
)


def apply(document: Document, operations: Any, now: datetime) -> Document:
    """The document after all operations; `Refusal` 400 at the first that is not acceptable."""
    if not isinstance(operations, list) or not operations:
        raise invalid("The body must be a JSON array of operations.", "/")
    changed = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        _apply_one(changed, operation, f"/{index}", now)
    return changed


def _apply_one(document: Document, operation: Any, place: str, now: datetime) -> None:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise invalid("An operation needs op, path and value.", place)
    op, path = operation.get("op"), operation["path"]
    if op not in ("replace", "add"):
        raise invalid(f"The operation '{op}' is not supported; use replace or add.", f"{place}/op")
    if "value" not in operation:
        raise invalid("The operation has no value.", f"{place}/value")
    value = operation["value"]
    if path in _REPLACEABLE:
        _set(document, path, value)
    elif path in _APPENDABLE and op == "add":
        _append(document, path.removesuffix("/-"), value)
    elif path == "/registrations/-" and op == "add":
        _register(document, value, now)
    elif match := _REGISTRATION_PART.fullmatch(path):
        _check_index(document, match, path)
        _set(document, path, value)
    else:
        raise invalid(f"The path '{path}' cannot be changed with '{op}'.", path)


def _set(document: Document, path: str, value: Any) -> None:
    holder: Any = document
    shape: Any = schema.REFERRAL | {"registrations": [schema.REGISTRATION]}
    *parents, last = path.removeprefix("/").split("/")
    for name in parents:
        holder = holder[int(name)] if isinstance(holder, list) else holder[name]
        shape = shape[0] if isinstance(shape, list) else shape.get(name)
        if holder is None or shape is None:
            raise invalid(f"The path '{path}' does not exist.", path)
    if last not in shape:
        raise invalid(f"The path '{path}' does not exist.", path)
    if value is None and isinstance(shape[last], list):
        raise invalid(f"The value of '{path}' must be an array.", path)
    holder[last] = complete(schema.bind(value, shape[last], path, strict=True), shape[last])


def _append(document: Document, path: str, value: Any) -> None:
    holder: Any = document
    shape: Any = schema.REFERRAL
    for name in path.removeprefix("/").split("/"):
        holder, shape = holder[name], shape[name]
    if not isinstance(value, dict):
        raise invalid(f"The value of '{path}/-' must be an object.", f"{path}/-")
    holder.append(complete(schema.bind(value, shape[0], f"{path}/-", strict=True), shape[0]))


def _register(document: Document, value: Any, now: datetime) -> None:
    if not isinstance(value, dict) or not value.get("type"):
        raise invalid("A deal registration needs a type.", "/registrations/-")
    bound = schema.bind(value, schema.REGISTRATION, "/registrations/-", strict=True)
    at = stamp(now)
    registration = complete(bound, schema.REGISTRATION) | {
        "id": new_guid(),
        "registrationDateTime": at,
        "status": "ReviewPending",
        "statusReason": None,
        "statusHistory": {"reviewPendingDateTime": at},
    }
    document["registrations"].append(registration)
    document["registrationStatus"] = "ReviewPending"


def _check_index(document: Document, match: re.Match[str], path: str) -> None:
    registrations = document["registrations"]
    index, detail = int(match["registration"]), match["detail"]
    if index >= len(registrations) or (
        detail is not None and int(detail) >= len(registrations[index]["solutionDetails"])
    ):
        raise invalid(f"The path '{path}' does not exist.", path)
