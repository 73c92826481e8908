"""Between the domain's values and JSON that a salesperson can read: options with their word, currencies as codes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared.domain.row import Lookup
from shared.domain.status import Decision
from tests.unit import pairs

_WORDS = {
    "cosell_dealtype": "deal_type",
    "cosell_direction": "direction",
    "cosell_referralvisibility": "visibility",
    "cosell_howcanmicrosofthelp": "help",
    "cosell_purchaseintent": "purchase_intent",
}
_LABELS = {
    "salesstage": {0: "Qualify", 1: "Develop", 2: "Propose", 3: "Close"},
    "opportunityratingcode": {1: "Hot", 2: "Warm", 3: "Cold"},
    "leadqualitycode": {1: "Hot", 2: "Warm", 3: "Cold"},
}


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by name; a choice reads `visible = 100000001`."""
    return {column: _column(column, value) for column, value in values.items()}


def _column(column: str, value: Any) -> Any:
    if column in _WORDS:
        return f"{pairs.mapping().word(_WORDS[column], value)} = {value}"
    if column in _LABELS:
        return f"{_LABELS[column][value]} = {value}"
    return plain(value)


def plain(value: Any) -> Any:
    """JSON: amounts as text with their decimals, moments as ISO text, a currency by its code."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Lookup):
        return next((code for code, one in pairs.CURRENCIES.items() if one.id == value.id), value.id)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value) if isinstance(value, Decimal | date) else value


def status(decision: Decision) -> dict[str, Any]:
    """What the status asks for; only what applies."""
    found: dict[str, Any] = {"partner_center": decision.pc, "crm": decision.crm}
    if decision.held:
        found["waits_for_the_seller"] = True
    if decision.closing:
        closing = decision.closing
        found["close_the_opportunity"] = {
            "won": closing.won, "statuscode": closing.status, "subject": closing.subject.sentence,
            "reason": closing.reason,
        }  # fmt: skip
    if decision.send:
        found["send"] = [" / ".join(part for part in step if part) for step in decision.send]
    if decision.notes:
        found["notes"] = [note.code for note in decision.notes]
    return found


def row_value(column: str, value: Any) -> Any:
    """A column's value as the client reads it, from JSON."""
    if isinstance(value, dict):
        return Lookup(value["table"], value["id"])
    return date.fromisoformat(value) if column == "estimatedclosedate" and value else value
