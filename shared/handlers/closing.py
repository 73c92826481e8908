"""An opportunity is closed because its referral ended: fields first, then the closing action, then the record of it.

A closed row takes no more business columns. Whoever closed it writes the record, even when another run has seen the
closed row meanwhile. That it is to be closed was decided by `shared.domain.status` and flow 4, which calls this.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shared.connections import Connections
from shared.domain import amounts, incoming
from shared.domain import status as status_table
from shared.domain.changes import Change, Plan, described, left, settled
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.sentences import Note
from shared.domain.state import SyncState
from shared.domain.status import Closing, Decision
from shared.errors import DataProblem
from shared.handlers import trail
from shared.handlers.opportunities import again_on_conflict, load, write_back
from shared.messages import Hint


def close(
    connections: Connections,
    hint: Hint,
    opportunity: Opportunity,
    referral: Referral,
    changes: tuple[Change, ...],
    plan: Plan,
    decision: Decision,
    closing: Closing,
) -> str:
    """Bring `changes` over, close, and write it down; `Conflict` when somebody changed the row before it was closed."""
    terms = connections.terms
    state = settled(opportunity.state, changes, referral, opportunity, terms, side="crm")
    if changes:
        write_back(connections, opportunity, state, changes=incoming.changed(changes, referral, terms))
    activity = _activity(closing, opportunity, referral, connections)
    try:
        connections.dataverse.close_opportunity(
            opportunity.id, won=closing.won, status=closing.status, activity=activity
        )
    except DataProblem:
        if load(connections, opportunity.id).statecode == 0:
            raise  # not closed by somebody else meanwhile: a seller or administrator must look
    again_on_conflict(lambda: _record(connections, hint, opportunity.id, referral, changes, plan, decision, closing))
    return "closed"


def too_late(
    connections: Connections,
    hint: Hint,
    opportunity: Opportunity,
    state: SyncState,
    plan: Plan,
    written: Iterable[Change] = (),
) -> tuple[SyncState, list[str]]:
    """A referral that ended takes no more edits: what was waiting for it stays here, and the seller reads so.

    `state` is about to be written; `written` goes to the opportunity with it.
    """
    state = state.but(delay=None)
    if not plan.late:
        return state, []
    kept = left(plan.late, opportunity, connections.terms, written)
    parts, run = [status_table.late_edit()], hint.correlation_id
    line = trail.line(connections, trail.TO_PARTNER_CENTER, "UPDATE", False, parts, run, opportunity.referral_id)
    return state.with_seen(kept), [line]


def _record(
    connections: Connections,
    hint: Hint,
    opportunity_id: str,
    referral: Referral,
    changes: tuple[Change, ...],
    plan: Plan,
    decision: Decision,
    closing: Closing,
) -> None:
    opportunity = load(connections, opportunity_id)
    state, late = opportunity.state, list[str]()
    if state.status_pc != decision.pc:  # else another run has written down what was too late
        state, late = too_late(connections, hint, opportunity, state, plan)
    error = decision.pc == "error"
    parts = [*described(changes), closing.subject, *decision.notes, *([Note("PC_ERROR_STATE")] if error else [])]
    line = trail.line(connections, trail.TO_CRM, "CLOSE", not error, parts, hint.correlation_id, referral.id)
    state = state.but(
        status_pc=decision.pc,
        status_crm="won" if closing.won else "lost",
        etag=referral.e_tag,
        referral_at=referral.updated_date_time,
        terminal_since=None,
        held=False,
    )
    columns = {
        "cosell_referralstatus": f"{referral.status}/{referral.substatus}",
        **incoming.close_reason(referral, connections.terms),
    }
    sync_status = "failed" if error else "closed"
    ok = not (error or late)
    write_back(
        connections, opportunity, state, changes=columns, lines=[*late, line], ok=ok, sync_status=sync_status
    )  # fmt: skip


def _activity(
    closing: Closing, opportunity: Opportunity, referral: Referral, connections: Connections
) -> dict[str, object]:
    """The closing activity as Dynamics 365 keeps it in the timeline."""
    ended: datetime = referral.closed_date_time or referral.updated_date_time or connections.clock()
    subject = connections.terms.sentences.told([closing.subject])
    activity: dict[str, object] = {"subject": subject, "actualend": ended}
    if closing.reason:
        activity["description"] = closing.reason[:2000]
    revenue = amounts.revenue(referral, opportunity, connections.terms)
    if closing.won and revenue is not None:
        activity["actualrevenue"] = revenue
    return activity
