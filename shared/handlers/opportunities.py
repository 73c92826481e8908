"""The opportunity as the handlers read, find and write it: one GET with everything, one PATCH with everything.

`write_back` puts changed columns, base, audit, mark and sync status into a single PATCH under the row's version, so
there is never a moment in which they contradict each other (decision A2). Nothing is written when nothing differs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from shared.connections import Connections
from shared.domain import audit, marks
from shared.domain.opportunity import CONTACT, Opportunity
from shared.domain.referral import Referral
from shared.domain.required import wants_help
from shared.domain.row import Values
from shared.domain.state import COLUMN, SyncState
from shared.domain.terms import Terms
from shared.errors import Conflict, NotFound
from shared.ports import Condition

ATTEMPTS = 4
"""Readings of a pair before a conflict is handed to the retry ladder: the first and three repeats."""


def load(connections: Connections, opportunity_id: str) -> Opportunity:
    """The opportunity with its graph; `NotFound` when it does not exist."""
    terms, dataverse = connections.terms, connections.dataverse
    opportunity = Opportunity(dataverse.get("opportunity", opportunity_id, terms.columns, terms.related))
    if account_id := other_account(opportunity):
        opportunity = replace(
            opportunity, customer_account=dataverse.get("account", account_id, terms.related["parentaccountid"])
        )
    if contact_id := other_contact(opportunity, terms):
        opportunity = replace(opportunity, primary_contact=dataverse.get("contact", contact_id, CONTACT))
    return opportunity


def other_account(opportunity: Opportunity) -> str | None:
    """The id of the customer's account, where it did not come with the row."""
    customer = opportunity.customer
    apart = opportunity.account is None and customer is not None and customer.table == "account"
    return customer.id if apart and customer else None


def other_contact(opportunity: Opportunity, terms: Terms) -> str | None:
    """The id of the contact that a deal with help needs, where it did not come with the row.

    It is the customer when that is a contact, else the account's primary contact.
    """
    if opportunity.contact is not None or not wants_help(opportunity, terms):
        return None
    if opportunity.customer and opportunity.customer.table == "contact":
        return opportunity.customer.id
    primary = opportunity.account.lookup("primarycontactid") if opportunity.account else None
    return primary.id if primary else None


def find(connections: Connections, referral: Referral) -> Opportunity | None:
    """The opportunity that carries this referral's id; first by the CRM id the referral names, which costs one call."""
    named = guid(referral.external_reference_id)
    if named:
        try:
            opportunity = load(connections, named)
        except NotFound:
            pass
        else:
            if opportunity.referral_id == referral.id.lower():
                return opportunity
    where = [Condition("cosell_referralidentifier", referral.id.lower())]
    rows = connections.dataverse.find("opportunity", where, ("name",), limit=2)
    return load(connections, rows[0].id) if rows else None


def referral_beside(connections: Connections, microsofts_id: str) -> str | None:
    """The id of our referral in the deal whose opportunity knows Microsoft's by this id; a copy may know it, too."""
    where = [Condition("cosell_microsoftreferralidentifier", microsofts_id)]
    rows = connections.dataverse.find("opportunity", where, ("cosell_referralidentifier",), limit=5)
    return next((known for row in rows if (known := guid(row.text("cosell_referralidentifier")))), None)


@lru_cache(maxsize=1024)
def guid(text: str | None) -> str | None:
    """The GUID in a text, in the form both systems use, or None."""
    try:
        return str(uuid.UUID(text.strip().strip("{}"))) if text else None
    except ValueError:
        return None


def refuse_stale(known_at: datetime | None, referral: Referral) -> None:
    """`Conflict` when the referral is older than a version the base knows: another run was quicker, or a replica slow.

    Compared with the newer base its old values would look like changes and undo the newer ones.
    """
    if known_at and referral.updated_date_time and referral.updated_date_time < known_at:
        raise Conflict(
            "PC_STALE",
            "Partner Center showed an older version of the referral than one seen before.",
            "Nothing to do: it is read again.",
        )


def write_back(
    connections: Connections,
    opportunity: Opportunity,
    state: SyncState,
    *,
    changes: Values | None = None,
    lines: Sequence[str] = (),
    ok: bool | None = None,
    sync_status: str | None = None,
) -> bool:
    """One PATCH with what differs, False when nothing does; `ok` sets the mark, None leaves it. Raises `Conflict`."""
    terms, row = connections.terms, opportunity.row
    wanted: dict[str, Any] = dict(changes or {})
    if ok is not None:
        wanted["name"] = marks.marked(wanted.get("name") or opportunity.name, ok, terms.marks)
    if sync_status:
        wanted["cosell_syncstatus"] = terms.mapping.option("sync_status", sync_status)
    if lines:
        wanted["cosell_audit"] = audit.prepend(row.text("cosell_audit"), list(lines))
    if state != opportunity.state:
        wanted[COLUMN] = state.to_json()
    differing = {column: value for column, value in wanted.items() if row.values.get(column) != value}
    if not differing:
        return False
    if lines or ok:
        differing["cosell_lastsyncedon"] = connections.clock().replace(microsecond=0)
    connections.dataverse.update("opportunity", opportunity.id, differing, opportunity.etag)
    return True


def again_on_conflict[T](action: Callable[[], T]) -> T:
    """Run `action`, which reads before it writes, again when somebody else wrote in between."""
    for _ in range(ATTEMPTS - 1):
        try:
            return action()
        except Conflict:
            continue
    return action()
