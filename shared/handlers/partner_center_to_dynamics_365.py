"""Flow 4: one of our referrals may have changed; bring it into the CRM as lead or opportunity, and its CRM id back.

Routes by what the referral is: Microsoft's record goes to flow 3, a lead to `leads`, a deal without opportunity is
created (`inbound_deals`), a known pair is merged here. Writes only towards the CRM, except for the CRM record's id in
the referral; what the plan holds for Partner Center is told to flow 5 by a hint.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.connections import Connections
from shared.domain import classify, incoming
from shared.domain import status as status_table
from shared.domain.amounts import AMOUNT
from shared.domain.changes import Change, Plan, described, overruled, settled
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.sentences import Note, outcome
from shared.domain.state import SyncState, fingerprint
from shared.domain.status import Decision
from shared.errors import DataProblem, NotFound, NotYet, Unavailable
from shared.handlers import brake, claims, closing, inbound_deals, leads, other_partners, related_rows, reminders, trail
from shared.handlers.brake import Direction
from shared.handlers.forwarding import MERGE, SWEEP, SWITCHED_ON
from shared.handlers.opportunities import again_on_conflict, find, guid, load, referral_beside, refuse_stale, write_back
from shared.messages import APPROVED, REVIEW, Hint, Queue

_LOCKED = Note("CURRENCY_LOCKED")


def handle(hint: Hint, connections: Connections) -> str:
    """Synchronise one referral; the result in a word or two, for the log."""
    return again_on_conflict(lambda: _read_and_synchronise(hint, connections))


def _read_and_synchronise(hint: Hint, connections: Connections) -> str:
    try:
        referral = connections.partner_center.get(hint.row_id)
    except NotFound:
        ours = referral_beside(connections, hint.row_id) if hint.reason.startswith("related-") else None
        if ours is not None:
            pair = hint.model_copy(update={"id": uuid.UUID(ours), "reason": SWEEP, "attempt": 0})
            connections.queues.send(Queue.PARTNER_CENTER_EVENTS, pair)
            return "Microsoft's referral is not visible; its deal is looked at"
        raise Unavailable(
            "REFERRAL_NOT_VISIBLE",
            "Partner Center does not show this referral to the service user.",
            "Check that the user is Referrals admin for all locations; replay the message afterwards.",
        ) from None
    if referral.is_microsofts:
        related = hint.model_copy(update={"engagement_id": guid_of(referral.engagement_id), "attempt": 0})
        connections.queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, related)
        return "Microsoft's referral"
    if referral.is_another_partners(connections.terms.organization_id):
        return other_partners.note(hint, connections, referral)
    return _synchronise(hint, connections, referral)


def guid_of(text: str | None) -> uuid.UUID | None:
    known = guid(text)
    return uuid.UUID(known) if known else None


def _synchronise(hint: Hint, connections: Connections, referral: Referral) -> str:
    opportunity = find(connections, referral)
    if opportunity is not None and claims.taken(connections, opportunity, referral):
        return "REFERRAL_ALREADY_LINKED: the opportunity only claims this referral"
    if opportunity is not None:
        return _Run(hint, connections, opportunity, referral).run()
    lead = leads.find(connections, referral)
    if lead is not None:
        return leads.update(hint, connections, lead, referral)
    return _unlinked(hint, connections, referral)


def _unlinked(hint: Hint, connections: Connections, referral: Referral) -> str:
    """No record carries this referral's id yet."""
    named = guid(referral.external_reference_id)
    if named and not connections.recreate_missing:
        return _named(hint, connections, referral, named)
    if referral.external_reference_id and not named:
        return "CRM_ID_NOT_FOUND: the referral carries another system's id"
    if referral.is_closed:
        return "closed before it was ever synchronised"
    kind = classify.kind(referral)
    if not classify.wanted(kind, connections.inbound):
        return f"{kind} deals are not taken"
    if connections.review_inbound and hint.reason != APPROVED and classify.inbound(referral):
        raise DataProblem(
            REVIEW,
            f"A new inbound deal ({kind}) waits for a decision.",
            "Take it with python -m admin parked approve, or leave it with parked discard.",
        )
    if classify.is_lead(kind) and status_table.of_referral(referral) == "new":
        return "spam" if referral.is_spam else leads.create(hint, connections, referral)
    return inbound_deals.create(hint, connections, referral)


def _named(hint: Hint, connections: Connections, referral: Referral, opportunity_id: str) -> str:
    """The referral names a CRM record that does not carry its id: link it, leave it, or refuse."""
    try:
        opportunity = load(connections, opportunity_id)
    except NotFound:
        return "CRM_ID_NOT_FOUND: the record the referral names does not exist"
    if opportunity.state.reservation is not None:
        if not opportunity.synced:
            return "sync is off"  # switched off while flow 2 was at work, which goes on when sync is on again
        raise _being_created()
    if opportunity.referral_id is not None:
        return "CRM_ID_DUPLICATE: the opportunity belongs to another referral"
    inbound_deals.link(hint, connections, opportunity, referral)
    outward = {"subject": "opportunity", "id": uuid.UUID(opportunity_id), "reason": "linked", "attempt": 0}
    connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint.model_copy(update=outward))
    _Run(hint, connections, load(connections, opportunity_id), referral).run()
    return "linked"


def _being_created() -> NotYet:
    return NotYet("CREATION_RESERVED", "Flow 2 is just creating this deal.", "It is tried again by itself.")


@dataclass
class _Run:
    """One pair, one attempt."""

    hint: Hint
    connections: Connections
    opportunity: Opportunity
    referral: Referral

    def run(self) -> str:
        opportunity, terms = self.opportunity, self.connections.terms
        if not opportunity.synced:
            return "sync is off"
        if opportunity.state.reservation is not None:
            raise _being_created()
        refuse_stale(opportunity.state.referral_at, self.referral)
        if opportunity.state.linking:
            return inbound_deals.complete(self.hint, self.connections, opportunity, self.referral)
        plan = merge(opportunity.state, self.referral, opportunity, terms)
        decision = status_table.decide(opportunity.state, self.referral, opportunity, terms, self.connections.clock())
        changes = () if decision.crm in ("won", "lost") else tuple(c for c in plan.to_crm if not c.restore)
        self._forward(plan, decision)
        if decision.closing:
            braked = brake.from_hint(self.hint, Direction.DYNAMICS_365, self.referral.id)
            if not brake.admits(self.connections, braked):
                decision = decision.without_closing(told=opportunity.state.held)
        try:
            return self._apply(changes, plan, decision)
        except DataProblem as problem:
            others = tuple(change for change in changes if change.row.field not in AMOUNT)
            if problem.code != "DV_CURRENCY_LOCKED" or others == changes:
                raise
            plan = replace(plan, inbound_problems=(*plan.inbound_problems, _LOCKED))
            return self._apply(others, plan, decision)

    def _apply(self, changes: tuple[Change, ...], plan: Plan, decision: Decision) -> str:
        if decision.closing:
            return closing.close(
                self.connections, self.hint, self.opportunity, self.referral, changes, plan, decision, decision.closing
            )
        return self._write(changes, plan, decision)

    def _write(self, changes: tuple[Change, ...], plan: Plan, decision: Decision) -> str:
        terms, referral = self.connections.terms, self.referral
        columns = incoming.changed(changes, referral, terms)
        late: list[str] = []
        related_rows.write(self.connections, self.opportunity, changes, referral)
        state = settled(self.opportunity.state, changes, referral, self.opportunity, terms, side="crm")
        lost = tuple(change for change in plan.to_pc if change.decided) if changes else ()
        state = overruled(state, lost, "pc")
        if decision.crm_reason is not None:
            columns["statuscode"] = decision.crm_reason
            state = state.but(status_pc=decision.pc, status_crm="open")
        elif decision.frozen and not decision.braked and state.status_pc != decision.pc:
            state, late = closing.too_late(self.connections, self.hint, self.opportunity, state, plan, changes)
            state = state.but(status_pc=decision.pc, status_crm=decision.crm)
        if decision.frozen:
            state = state.but(held=decision.braked)
        persistent = bool(plan.inbound_problems)
        problems, state = _untold(plan.inbound_problems, state)
        text = described((*changes, *lost))
        if decision.crm_reason is not None:
            text.append(outcome("accepted_there"))
        text += [*(decision.notes if state != self.opportunity.state else ()), *problems]
        if text:
            state = state.but(etag=referral.e_tag, referral_at=referral.updated_date_time)
        standing = f"{referral.status}/{referral.substatus}"
        if text or self.opportunity.state.status_pc != decision.pc:
            columns["cosell_referralstatus"] = standing
        ok = False if persistent or late else True if changes or decision.crm_reason is not None else None
        lines = [*late, *([self._line(not problems, text)] if text else [])]
        waiting = decision.braked or (
            ok and decision.held and plan.to_pc
        )  # a seller's edits go out with the acceptance
        failed = "failed" if persistent else "closed"
        sync_status = failed if ok is False else "pending" if waiting else "in_sync" if ok else None
        wrote = write_back(
            self.connections, self.opportunity, state, changes=columns, lines=lines, ok=ok, sync_status=sync_status
        )
        return brake.HELD_BACK if decision.braked else "updated" if wrote else "no difference"

    def _forward(self, plan: Plan, decision: Decision) -> None:
        """What this flow may not write: changes for Partner Center, and a look at Microsoft's record of the deal."""
        if self.hint.reason == MERGE:
            return
        open_deal = not (decision.frozen or decision.held)
        accepted = (
            decision.crm_reason is not None
        )  # what a seller changed before that was kept, and has no event any more
        if open_deal and any(change.conflict or accepted for change in plan.to_pc):
            hint = self.hint.model_copy(
                update={"subject": "opportunity", "id": uuid.UUID(self.opportunity.id), "reason": MERGE, "attempt": 0}
            )
            self.connections.queues.send(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint)
        microsofts = guid_of(self.opportunity.microsoft_referral_id)
        unheard = self.hint.reason in (SWEEP, SWITCHED_ON)  # Microsoft's own event may have been missed
        if microsofts and (unheard or self.referral.e_tag != self.opportunity.state.etag):
            engagement = guid_of(self.referral.engagement_id)
            hint = self.hint.model_copy(update={"id": microsofts, "engagement_id": engagement, "attempt": 0})
            self.connections.queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, hint)

    def _line(self, ok: bool, parts: Sequence[Note | str]) -> str:
        run = self.hint.correlation_id
        return trail.line(self.connections, trail.TO_CRM, "UPDATE", ok, parts, run, self.referral.id)


def _untold(problems: tuple[Note, ...], state: SyncState) -> tuple[list[Note], SyncState]:
    """Problems the seller has not read yet, and the state that remembers those that persist."""
    new = [note for note in problems if state.told.get(note.code) != fingerprint(note.sentence)]
    told = {note.code: fingerprint(note.sentence) or "" for note in problems}
    if reminders.CODE in state.told:  # no problem of this kind: forgotten here, the seller would be reminded again
        told[reminders.CODE] = state.told[reminders.CODE]
    return new, state.but(told=told) if told != state.told else state
