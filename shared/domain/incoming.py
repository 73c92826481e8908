"""Records for Dynamics 365 made from a referral: opportunity, lead, account, contact, and what follows it. Pure.

Column values come from the mapping table; identifiers, link, kind and direction are the connector's own. Nothing here
looks anything up: ids of accounts, contacts, owners come from the handler that matched them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from shared.domain import amounts, classify, status
from shared.domain.amounts import AMOUNT
from shared.domain.mapping import MappingRow
from shared.domain.plan import Change
from shared.domain.referral import Member, Referral
from shared.domain.rules import RULES
from shared.domain.state import Canonical
from shared.domain.terms import Terms

_SPACE = uuid.UUID("6f0c3c1e-8d5b-4d0e-9a51-2f6c1b7a9e40")
_LAST_NAME = 50
"""Characters a contact's last name holds."""
_MICROSOFT = {
    "new": "Waiting for Microsoft",
    "active": "Accepted",
    "declined": "Declined",
    "expired": "No response",
    "won": "Won",
    "lost": "Lost",
    "error": "Error",
}


def row_id(kind: str, *parts: str) -> str:
    """The id of a record made for these parts: the same every time, so that a repeated create cannot double it."""
    return str(uuid.uuid5(_SPACE, "/".join((kind, *(part.lower() for part in parts)))))


def mapped(referral: Referral, rows: Iterable[MappingRow], terms: Terms) -> dict[str, Any]:
    """Column → value for a new record; an amount in an unknown currency is converted, or left out."""
    values: dict[str, Any] = {}
    foreign = amounts.foreign(referral, terms)
    converted = amounts.converted(referral, terms)
    for row in rows:
        if RULES[row.rule].related or not row.inbound("create", terms.profile):
            continue
        if row.field in AMOUNT and foreign and not converted:
            continue
        value, held = _both(referral, row, terms, converted)
        column = RULES[row.rule].to_column(held, row, terms) if held is not None else row.default
        if column is not None:
            values |= {row.column: column, **_beside(value, row, terms)}
    return _own_revenue(values)


def base(referral: Referral, rows: Iterable[MappingRow], terms: Terms) -> dict[str, tuple[Canonical, Canonical]]:
    """What both sides hold of a field that `mapped` wrote: Partner Center's value, and the CRM's form of it."""
    found: dict[str, tuple[Canonical, Canonical]] = {}
    for row in rows:
        both = _both(referral, row, terms, amounts.converted(referral, terms))
        if both[1] is not None and row.column in mapped(referral, (row,), terms):
            found[row.field] = both
    return found


def _both(
    referral: Referral, row: MappingRow, terms: Terms, converted: amounts.Converted | None
) -> tuple[Canonical, Canonical]:
    """Partner Center's value, and what the CRM can hold of it."""
    rule = RULES[row.rule]
    pc = rule.from_referral(referral, row, terms)
    return pc, converted.values[row.field] if converted and row.field in AMOUNT else rule.as_crm(pc, row, terms)


def changed(changes: Iterable[Change], referral: Referral, terms: Terms) -> dict[str, Any]:
    """Column → value for the changes of a plan; what are rows of their own is not among them."""
    values: dict[str, Any] = {}
    for change in changes:
        if RULES[change.row.rule].related:
            continue
        values[change.row.column] = RULES[change.row.rule].to_column(change.new, change.row, terms)
        values |= _beside(change.new, change.row, terms)
        value_row = terms.mapping.row("deal_value")
        if change.row.field == "currency" and value_row is not None:
            _, amount = _both(referral, value_row, terms, amounts.converted(referral, terms))
            values.setdefault(value_row.column, RULES["money"].to_column(amount, value_row, terms))
    return _own_revenue(values)


def _beside(value: Canonical, row: MappingRow, terms: Terms) -> dict[str, Any]:
    follows = RULES[row.rule].beside
    return follows(value, row, terms) if follows else {}


def _own_revenue(values: dict[str, Any]) -> dict[str, Any]:
    """An estimate is only kept when the row's revenue is not calculated from product lines."""
    return {**values, "isrevenuesystemcalculated": False} if "estimatedvalue" in values else values


def identity(referral: Referral, terms: Terms) -> dict[str, Any]:
    """Columns that tie an opportunity to its referral."""
    return {
        "cosell_syncwithpartnercenter": True,
        "cosell_referralidentifier": referral.id.lower(),
        "cosell_referrallink": terms.link(referral.id.lower()),
        "cosell_engagementidentifier": referral.engagement_id,
    }


def standing(referral: Referral, terms: Terms, microsofts: Referral | None) -> dict[str, Any]:
    """Columns that show where the deal stands in Partner Center; with Microsoft's record it is co-sell, a lead too."""
    kind = "co_sell" if microsofts else classify.kind(referral)
    columns: dict[str, Any] = {"cosell_referralstatus": f"{referral.status}/{referral.substatus}"}
    if not classify.is_lead(kind):
        columns["cosell_dealtype"] = terms.mapping.option("deal_type", kind)
    return columns


def direction(referral: Referral, terms: Terms) -> dict[str, Any]:
    word = "inbound" if classify.inbound(referral) else "outbound"
    return {"cosell_direction": terms.mapping.option("direction", word)}


def microsoft_columns(microsofts: Referral) -> dict[str, Any]:
    """What Microsoft's record says; the CRM identifier is never blanked once it is known."""
    columns: dict[str, Any] = {
        "cosell_microsoftreferralidentifier": microsofts.id.lower(),
        "cosell_microsoftstatus": microsoft_status(microsofts),
    }
    if microsofts.tracking_info.microsoft_msx_id:
        columns["cosell_microsoftcrmidentifier"] = microsofts.tracking_info.microsoft_msx_id
    return columns


def microsoft_status(microsofts: Referral) -> str:
    """Microsoft's answer in a seller's words; an unknown status is shown as it is."""
    word = status.of_referral(microsofts)
    return _MICROSOFT.get(word, f"{microsofts.status}/{microsofts.substatus}"[:50])


def close_reason(referral: Referral, terms: Terms) -> dict[str, Any]:
    """The seller's choice that says what Partner Center's reason says; nothing where no choice does."""
    reason = (referral.status_reason or "").strip().casefold()
    options = terms.mapping.values["close_reason"].items()
    chosen = next((int(option) for option, text in options if str(text).casefold() == reason), None)
    return {"cosell_closereason": chosen} if chosen is not None else {}


def account(referral: Referral, terms: Terms) -> dict[str, Any]:
    return mapped(referral, terms.mapping.account, terms)


def lead(referral: Referral, terms: Terms) -> dict[str, Any]:
    """A lead with its identifiers."""
    values = mapped(referral, terms.mapping.lead, terms)
    values["cosell_referralidentifier"] = referral.id.lower()
    values["cosell_referrallink"] = terms.link(referral.id.lower())
    return values


def contact(member: Member, terms: Terms) -> dict[str, Any]:
    """A contact; the last name falls back to the e-mail's local part."""
    values = {
        row.column: RULES["text"].as_crm(value, row, terms)
        for row in terms.mapping.contact
        if (value := _of_member(member, row)) is not None
    }
    values.setdefault("lastname", (member.email or "").split("@")[0][:_LAST_NAME] or "Unknown")
    return values


def _of_member(member: Member, row: MappingRow) -> str | None:
    known = {(info.alias or name): getattr(member, name) for name, info in Member.model_fields.items()}
    value = known.get(row.referral)
    return value.strip() if isinstance(value, str) else None
