"""Flow 5: an opportunity may have changed; bring the difference to its referral, and write down what was done.

Reads both sides, plans, and writes only towards Partner Center; the opportunity gets base, audit, mark and restored
columns in one PATCH. Creating a referral is flow 2's part, changes for the CRM are flow 4's: both are told by a hint.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.connections import Connections
from shared.domain import outgoing
from shared.domain import status as status_table
from shared.domain.changes import Change, Plan, announced, described, left, overruled, settled
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.required import wants_help
from shared.domain.rules import RULES
from shared.domain.sentences import Note, outcome
from shared.domain.state import SyncState, fingerprint
from shared.domain.status import Decision
from shared.errors import Conflict, DataProblem, NotFound, NotYet
from shared.handlers import brake, claims, copies, trail
from shared.handlers.brake import Direction
from shared.handlers.forwarding import MERGE
from shared.handlers.opportunities import again_on_conflict, load, refuse_stale, write_back
from shared.messages import Hint, Queue
from shared.ports import PatchOperation

_GRACE = "terminal-grace"
"""Reason of the hint that comes back when the grace period before Won or Lost is over."""


def handle(hint: Hint, connections: Connections) -> str:
    """Synchronise one opportunity; the result in a word or two, for the log."""
    return again_on_conflict(lambda: _synchronise(hint, connections))


def _synchronise(hint: Hint, connections: Connections) -> str:
    try:
        opportunity = load(connections, hint.row_id)
    except NotFound:
        return "opportunity is gone"
    if not opportunity.synced:
        return "sync is off"
    if opportunity.is_copy:
        return copies.detach(hint, connections, opportunity)
    if opportunity.referral_id is None:
        connections.queues.send(Queue.CREATE_COSELL_REFERRAL, hint.model_copy(update={"attempt": 0}))
        return "to be created"
    held = opportunity.state.reservation
    if held and held.at + timedelta(seconds=connections.create_lease_s) <= connections.clock():
        # Whoever held it died, and flow 2's own message may have met a deal whose sync was off.
        connections.queues.send(Queue.CREATE_COSELL_REFERRAL, hint.model_copy(update={"attempt": 0}))
    if opportunity.state.linking:  # the same of flow 4
        inward = {"subject": "referral", "id": uuid.UUID(opportunity.referral_id), "reason": "incomplete", "attempt": 0}
        connections.queues.send(Queue.PARTNER_CENTER_EVENTS, hint.model_copy(update=inward))
    if opportunity.state.linking or held:
        raise NotYet(
            "PAIR_INCOMPLETE", "The deal is just being created on the other side.", "It is tried again by itself."
        )
    referral = claims.read(connections, opportunity)
    if isinstance(referral, Note):
        return claims.refuse(hint, connections, opportunity, referral)
    refuse_stale(opportunity.state.referral_at, referral)
    return _Run(hint, connections, opportunity, referral).run()


@dataclass
class _Run:
    """One pair, one attempt: what was read, then what was done."""

    hint: Hint
    connections: Connections
    opportunity: Opportunity
    referral: Referral

    def run(self) -> str:
        terms, state = self.connections.terms, self.opportunity.state
        now = self.connections.clock()
        plan = merge(state, self.referral, self.opportunity, terms)
        decision = status_table.decide(state, self.referral, self.opportunity, terms, now)
        if decision.frozen:
            return self._frozen(plan, decision)
        if decision.closes_referral and not brake.admits(self.connections, self._closing()):
            decision = decision.without_closing(told=state.held)
        state = state.but(held=decision.braked, delay=None)
        if not decision.wait_s:
            return self._carry_out(plan, decision, state)
        since = state.terminal_since or now
        result = self._carry_out(plan, decision, state.but(terminal_since=since))
        # Only now: had the row not kept `terminal_since`, every repeat would begin one more wait.
        self._wait(decision.wait_s, since)
        return result

    def _carry_out(self, plan: Plan, decision: Decision, state: SyncState) -> str:
        """Send, then write down; `state` is what the row is to keep, but for what comes of sending."""
        terms = self.connections.terms
        if state.terminal_since and decision.crm in ("open", "hold"):
            state = state.but(terminal_since=None)
        done: tuple[Change, ...] = () if decision.held else plan.to_pc
        written = self._announce(done)
        state = state.but(seen=written.seen, sent=written.sent)
        refusal = self._send(done, decision)
        if refusal is not None:
            self._read_again(written)
            refused = {change.row.field for change in done}
            state = state.but(sent={field: value for field, value in state.sent.items() if field not in refused})
            return self._refused(refusal, state, decision)
        state = settled(state, done, self.referral, self.opportunity, terms, side="pc").with_seen(plan.agreed)
        if decision.held and decision.send:
            state = state.with_seen(
                left(plan.to_pc, self.opportunity, terms)
            )  # declined: what was kept for an acceptance stays here
        self._read_again(written)
        self._forward(plan, decision)
        return self._write_back(plan, decision, done, state)

    def _closing(self) -> brake.Closing:
        since = self.opportunity.state.terminal_since  # another one after the deal was reopened
        return brake.from_hint(
            self.hint, Direction.PARTNER_CENTER, self.referral.id, since.isoformat() if since else ""
        )

    # -- towards Partner Center --------------------------------------------------------------------------------------
    def _announce(self, changes: Sequence[Change]) -> SyncState:
        """Write down what is about to be sent (`SyncState.sent`), under the version that was read; the row's state now.

        A seller's edit between reading and sending shows as `Conflict` before anything is sent.
        """
        known = self.opportunity.state
        if not changes:
            return known
        state = announced(known, changes, self.opportunity, self.connections.terms)
        write_back(self.connections, self.opportunity, state)
        return state

    def _read_again(self, written: SyncState) -> None:
        """The row after the announcement; `Conflict` when another flow wrote its state meanwhile."""
        if written != self.opportunity.state and not self.connections.dry_run:
            self.opportunity = load(self.connections, self.opportunity.id)
            if self.opportunity.state != written:
                raise Conflict("DV_VERSION", "Another run wrote the opportunity's state.", "It is read again.")

    def _send(self, changes: Sequence[Change], decision: Decision) -> DataProblem | None:
        """PATCH the referral; a refusal is returned, so that the seller can be told."""
        first, *rest = decision.send or (None,)
        operations = outgoing.operations(changes, self.opportunity, self.connections.terms, self.referral)
        if first is not None:
            operations += outgoing.status_operations(*first)
        accepts = first is not None and decision.pc == "new"
        if (accepts or not self.opportunity.state.referral_id) and (
            self.referral.external_reference_id != self.opportunity.id
        ):
            operations.append(("replace", "/externalReferenceId", self.opportunity.id))
        try:
            for batch in (operations, *(outgoing.status_operations(*step) for step in rest if step)):
                if batch:
                    patch = [PatchOperation(*operation) for operation in batch]
                    self.referral = self.connections.partner_center.patch(self.referral.id, patch, self.referral.e_tag)
        except DataProblem as problem:
            return problem
        return None

    def _wait(self, seconds: float, since: datetime) -> None:
        """Look again when the grace period is over: once, however often the row is saved meanwhile.

        A message that came too early, as clocks differ, needs a version of its own.
        """
        early = self.hint.reason == _GRACE
        version = self.opportunity.etag if early else str(since)
        again = self.hint.model_copy(update={"reason": _GRACE, "version": version, "attempt": 0})
        self.connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, again, delay_s=seconds)

    def _forward(self, plan: Plan, decision: Decision) -> None:
        """Hints for what is not this flow's to write."""
        for_crm = any(not change.restore for change in plan.to_crm) or plan.inbound_problems
        if for_crm or decision.closing or decision.crm_reason:
            self._tell_flow_4()
        if self._needs_microsoft(decision):
            hint = self.hint.model_copy(update={"reason": "conversion", "attempt": 0})
            self.connections.queues.send(Queue.CREATE_COSELL_REFERRAL, hint)

    def _tell_flow_4(self) -> None:
        if self.hint.reason != MERGE:
            hint = self.hint.model_copy(
                update={"subject": "referral", "id": uuid.UUID(self.referral.id), "reason": MERGE, "attempt": 0}
            )
            self.connections.queues.send(Queue.PARTNER_CENTER_EVENTS, hint)

    def _needs_microsoft(self, decision: Decision) -> bool:
        open_deal = decision.pc == "active" and decision.crm in ("open", "hold")
        return (
            open_deal
            and not self.opportunity.microsoft_referral_id
            and wants_help(self.opportunity, self.connections.terms)
        )

    # -- towards the opportunity's own columns -----------------------------------------------------------------------
    def _write_back(self, plan: Plan, decision: Decision, done: tuple[Change, ...], state: SyncState) -> str:
        after = status_table.of_referral(self.referral)
        if not (decision.wait_s or decision.braked or decision.crm_reason or decision.closing):
            state = state.but(status_pc=after, status_crm=decision.crm)
            state = state.but(terminal_since=None) if decision.send else state
        lost = tuple(change for change in plan.to_crm if change.decided) if state != self.opportunity.state else ()
        state = overruled(state, lost, "crm")
        problems = (*plan.problems, *((decision.problem,) if decision.problem else ()))
        effective = bool(done or plan.confirmed or decision.send)
        columns = {
            change.row.column: RULES[change.row.rule].to_column(change.new, change.row, self.connections.terms)
            for change in plan.to_crm
            if change.restore
        }
        ok, sync_status = (False, "failed") if problems else (True if effective else None, None)
        if effective and not problems:
            columns["cosell_referralstatus"] = f"{self.referral.status}/{self.referral.substatus}"
            state = state.but(problem=None)
            sync_status = "closed" if after in status_table.TERMINAL else "pending" if decision.braked else "in_sync"
        elif not problems and (decision.wait_s or decision.braked or (decision.held and plan.to_pc)):
            sync_status = "pending"
        elif not problems and self.opportunity.state.terminal_since and not state.terminal_since:
            sync_status = "in_sync"  # reopened within the grace period
        text = [*described(done), *(change.describe() for change in plan.confirmed), *described(lost)]
        text += [outcome("status_sent", status=status, substatus=substatus) for status, substatus, _ in decision.send]
        text += [*plan.notes, *decision.notes, *problems]
        lines = [self._line(not problems, text)] if text else []
        if state != self.opportunity.state or lines or not state.referral_id:
            state = state.but(referral_id=self.referral.id.lower(), engagement_id=self.referral.engagement_id)
            state = state.but(etag=self.referral.e_tag, referral_at=self.referral.updated_date_time)
        wrote = write_back(
            self.connections, self.opportunity, state, changes=columns, lines=lines, ok=ok, sync_status=sync_status
        )
        if decision.wait_s or decision.held or decision.braked:
            return "waiting" if decision.wait_s else brake.HELD_BACK if decision.braked else "held"
        return "updated" if effective else "noted" if wrote else "no difference"

    def _frozen(self, plan: Plan, decision: Decision) -> str:
        """The referral is terminal. A late edit is noted once; a new ending there is flow 4's to write down."""
        state = self.opportunity.state
        if state.status_pc != decision.pc:
            self._tell_flow_4()
            return "closed in Partner Center"
        problem = decision.problem or (status_table.late_edit() if plan.late else None)
        if problem is None:
            return "closed"
        kept = left(plan.late, self.opportunity, self.connections.terms)
        state = state.with_seen({**plan.agreed, **kept}).but(status_crm=decision.crm, delay=None)
        line = self._line(False, [problem])
        write_back(self.connections, self.opportunity, state, lines=[line], ok=False, sync_status="closed")
        return "refused: closed"

    def _refused(self, problem: DataProblem, state: SyncState, decision: Decision) -> str:
        """Partner Center said no. The seller reads why; an acceptance that failed is taken back."""
        text = f"{problem.code}: {problem.detail or problem.sentence}"
        changes = {}
        if decision.pc == "new" and decision.send and decision.crm == "open":
            changes["statuscode"] = self.connections.terms.statuses.on_hold
            state = state.but(status_pc="new", status_crm="hold")
        known = fingerprint(text)
        lines = [] if state.problem == known else [self._line(False, [text])]
        state = state.but(problem=known, etag=self.referral.e_tag, referral_at=self.referral.updated_date_time)
        write_back(
            self.connections, self.opportunity, state, changes=changes, lines=lines, ok=False, sync_status="failed"
        )
        return f"refused: {problem.code}"

    def _line(self, ok: bool, parts: Sequence[Note | str]) -> str:
        run = self.hint.correlation_id
        return trail.line(self.connections, trail.TO_PARTNER_CENTER, "UPDATE", ok, parts, run, self.referral.id)
