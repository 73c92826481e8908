"""One deal as a person sees it, read from either side, and whether the two sides agree.

This is the sandbox's own eye: it deliberately uses nothing of the connector's mapping, or it would repeat its mistakes.
Read by the scenarios (`sandbox.scenario`) and the live page (`sandbox.page`), through `sandbox.clients`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MICROSOFT = "msft"
_MARKS = "\u2714\u2716\ufe0f "
_CRM_STATE = {0: "Open", 1: "Won", 2: "Lost"}
_CRM_REASON = {1: "In Progress", 2: "On Hold", 3: "Won", 4: "Canceled", 5: "Out-Sold"}


@dataclass(frozen=True)
class Deal:
    """One side's view. Every field but `id`, `status`, `engagement` and `microsoft` is compared with the other side."""

    id: str
    other_id: str
    """The other side's id, as this side knows it; empty before they are linked."""
    name: str
    customer: str
    value: str
    """Amount with two decimals and its currency, such as `50000.00 USD`; empty when there is none."""
    closing_date: str
    """YYYY-MM-DD."""
    notes: str
    state: str
    """`waiting` for the partner's answer, `open`, `won` or `lost`: what both sides can say."""
    solutions: tuple[str, ...]
    microsoft_crm_id: str
    status: str
    """In the side's own words, such as `Active / Accepted`."""
    engagement: str
    microsoft: str
    """How Microsoft's referral stands; empty when Microsoft has none."""


LABELS = {
    "name": "Deal name",
    "customer": "Customer",
    "value": "Deal value",
    "closing_date": "Closing date",
    "notes": "Notes",
    "state": "State",
    "solutions": "Solutions",
    "microsoft_crm_id": "Microsoft CRM id",
}
"""The compared fields and what people call them."""


@dataclass(frozen=True)
class Compared:
    """One field on both sides."""

    label: str
    partner_center: str
    dynamics_365: str

    @property
    def agree(self) -> bool:
        return self.partner_center == self.dynamics_365


def from_partner_center(own: dict[str, Any], engagement: Iterable[dict[str, Any]] = ()) -> Deal:
    """The partner's referral; `engagement` are all referrals of the deal, for Microsoft's answer."""
    details = own.get("details") or {}
    microsofts = next((other for other in engagement if is_microsofts(other)), {})
    tracked = [(record.get("trackingInfo") or {}).get("microsoftMsxId") for record in (microsofts, own)]
    return Deal(
        id=own["id"],
        other_id=own.get("externalReferenceId") or "",
        name=own.get("name") or "",
        customer=(own.get("customerProfile") or {}).get("name") or "",
        value=_money(details.get("dealValue"), details.get("currency")),
        closing_date=(details.get("closingDateTime") or "")[:10],
        notes=_text(details.get("notes")),
        state=_referral_state(own),
        solutions=_sorted(row.get("id") for row in (details.get("requirements") or {}).get("solutions") or ()),
        microsoft_crm_id=next(filter(None, tracked), ""),
        status=_status(own),
        engagement=own.get("engagementId") or "",
        microsoft=_status(microsofts) if microsofts else "",
    )


def from_dynamics_365(row: dict[str, Any], *, customer: str, currency: str, solutions: Iterable[str | None]) -> Deal:
    """An opportunity row; the names behind its lookups are the caller's to find."""
    state, reason = row.get("statecode") or 0, row.get("statuscode")
    return Deal(
        id=row["opportunityid"],
        other_id=row.get("cosell_referralidentifier") or "",
        name=(row.get("name") or "").strip(_MARKS),
        customer=customer,
        value=_money(row.get("estimatedvalue"), currency),
        closing_date=(row.get("estimatedclosedate") or "")[:10],
        notes=_text(row.get("description")),
        state=("waiting" if reason == 2 else "open") if state == 0 else _CRM_STATE[state].lower(),
        solutions=_sorted(solutions),
        microsoft_crm_id=row.get("cosell_microsoftcrmidentifier") or "",
        status=f"{_CRM_STATE.get(state, state)} / {_CRM_REASON.get(reason or 0, reason)}",
        engagement=row.get("cosell_engagementidentifier") or "",
        microsoft=row.get("cosell_microsoftstatus") or "",
    )


def compare(partner_center: Deal, dynamics_365: Deal) -> list[Compared]:
    """Every compared field and the link between the two records."""
    rows = [Compared(label, _shown(partner_center, name), _shown(dynamics_365, name)) for name, label in LABELS.items()]
    referral = Compared("Referral id", partner_center.id, dynamics_365.other_id)
    return [*rows, referral, Compared("Opportunity id", partner_center.other_id, dynamics_365.id)]


def is_microsofts(referral: dict[str, Any]) -> bool:
    """Whether this is Microsoft's record of the deal, not the partner's."""
    return referral.get("organizationId") == MICROSOFT


def _shown(deal: Deal, name: str) -> str:
    value = getattr(deal, name)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _referral_state(referral: dict[str, Any]) -> str:
    status = referral.get("status")
    if status == "Closed":
        return "won" if referral.get("substatus") == "Won" else "lost"
    return "open" if status == "Active" else "waiting"


def _status(referral: dict[str, Any]) -> str:
    return " / ".join(part for part in (referral.get("status"), referral.get("substatus")) if part)


def _money(amount: object, currency: str | None) -> str:
    return "" if amount is None else f"{Decimal(str(amount)):.2f} {currency or '?'}"


def _text(value: str | None) -> str:
    return (value or "").replace("\r\n", "\n").strip()


def _sorted(ids: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted(found for found in ids if found))
