"""What the Partner Center fake allows: required properties, the status table, and JSON Patch on the paths that work.

Pure functions over referral documents. The errors are the client's, as the contract suite checks them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

from shared.errors import DataProblem
from shared.ports import PatchOperation

type Document = dict[str, Any]

MICROSOFT = "msft"
SHARED = ("dealValue", "currency", "closingDateTime", "notes")
"""Members of `details` that every party of a deal sees alike."""
SUBSTATUSES = {
    "New": ("Pending", "Received"),
    "Active": ("Accepted",),
    "Closed": ("Won", "Lost", "Declined", "Expired"),
}
NEXT = {"New": ("New", "Active", "Closed"), "Active": ("Active", "Closed"), "Closed": ("Closed",)}
_SHARE = "consentToShareReferralWithMicrosoftSellers"
_REPLACEABLE = re.compile(
    r"/(name|status|substatus|statusReason|externalReferenceId|campaignId|salesStage|referralProgram"
    r"|details/(dealValue|currency|notes|closingDateTime|requirements/solutions)"
    rf"|(customerProfile/)?team|consent/{_SHARE})"
)
_APPENDABLE = re.compile(r"/(details/requirements/solutions|team|customerProfile/team)/-")


def refuse(words: str) -> NoReturn:
    raise DataProblem(
        "PC_REJECTED",
        "Partner Center refused the data (HTTP 400).",
        "Correct what its own words name, then save.",
        detail=words,
    )


def check_new(body: Document) -> None:
    """The documented required set, and what the portal asks of a deal."""
    for name in ("type", "customerProfile", "consent", "details"):
        if not body.get(name):
            refuse(f"The {name} field is required.")
    address = body["customerProfile"].get("address") or {}
    details, team = body["details"], body.get("team") or []
    if not (body.get("name") and body["customerProfile"].get("name") and address.get("city")):
        refuse("A name, a customer and its address are required.")
    if len(address.get("country") or "") != 2 or details.get("dealValue") is None or not details.get("currency"):
        refuse("A country of two letters, a deal value and a currency are required.")
    if not (details.get("requirements") or {}).get("solutions") or not team:
        refuse("At least one solution and one team member are required.")
    if not body["consent"].get("consentToContact"):
        refuse("The consent to contact is required.")


def shares(document: Document) -> bool:
    return (document.get("consent") or {}).get(_SHARE) is True


def is_microsofts(document: Document) -> bool:
    return bool(document["organizationId"] == MICROSOFT)


def addresses_microsoft(body: Document) -> bool:
    return any(target.get("id") == MICROSOFT for target in body.get("target") or [])


def patched(before: Document, operations: Sequence[PatchOperation]) -> Document:
    """The document after all operations; all or nothing. Unchanged parts are shared between the two."""
    after = before
    for operation in operations:
        path = operation.path
        if not (_REPLACEABLE.fullmatch(path) or (operation.op == "add" and _APPENDABLE.fullmatch(path))):
            refuse(f"The path '{path}' cannot be changed with '{operation.op}'.")
        after = _placed(after, path.removeprefix("/").split("/"), operation.value)
    check_change(before, after)
    return after


def _placed(holder: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of `holder` with `value` at `path`."""
    if not path:
        return value
    if path[0] == "-":
        return [*(holder or []), value]
    return {**(holder or {}), path[0]: _placed((holder or {}).get(path[0]), path[1:], value)}


def check_change(before: Document, after: Document) -> None:
    """Closed is terminal, the pair must exist, and sharing cannot be taken back."""
    if before["status"] == "Closed" and before != after:
        refuse("The referral is closed and cannot be changed.")
    status, substatus = after["status"], after["substatus"]
    if substatus not in SUBSTATUSES.get(status, ()) or status not in NEXT[before["status"]]:
        refuse(f"The status cannot be changed to {status}/{substatus}.")
    if substatus == "Expired" and before["substatus"] != "Expired":
        refuse("The substatus 'Expired' is set by the service only.")
    if shares(before) and not shares(after):
        refuse("Sharing with Microsoft's sellers cannot be taken back.")
