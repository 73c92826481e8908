"""What a referral's status and an opportunity's state mean for each other: one decision table, pure.

Words of Partner Center's side: new, active, won, lost, declined, expired, error, unknown; of the CRM's: hold, open,
won, lost. Sources: status table of the Referrals API; statecode/statuscode of the opportunity table. Only New → Active
→ Closed and only allowed pairs are ever sent; a terminal status cannot be taken back, so Won and Lost wait for a grace
period, and a terminal referral wins against anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain import opportunity as crm_side
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.sentences import Note, outcome
from shared.domain.state import SyncState
from shared.domain.terms import Terms

TERMINAL = ("won", "lost", "declined", "expired", "error")
REGISTRATION_WAIT = timedelta(hours=72)
"""Partner Center registers a co-sell deal only when it was created at least this long before it was won."""
_SUBSTATUS = {"won": "won", "lost": "lost", "declined": "declined", "expired": "expired", "error": "error"}


@dataclass(frozen=True)
class Closing:
    """How to close the opportunity."""

    won: bool
    status: int
    subject: Note
    reason: str | None = None


@dataclass(frozen=True)
class Decision:
    """What the status asks for. At most one of `crm_reason` and `closing`; `send` is in order."""

    pc: str
    crm: str
    send: tuple[tuple[str, str, str | None], ...] = ()
    """(status, substatus, reason) for Partner Center, one PATCH each."""
    crm_reason: int | None = None
    """New statuscode of the open opportunity."""
    closing: Closing | None = None
    held: bool = False
    """The seller has not accepted yet: no field goes to Partner Center."""
    frozen: bool = False
    """The referral is terminal: nothing goes to Partner Center any more."""
    wait_s: float | None = None
    """A terminal change waits this long for the seller to change their mind."""
    braked: bool = False
    """The closing that was decided waits for an operator; see `without_closing`."""
    notes: tuple[Note, ...] = ()
    problem: Note | None = None

    @property
    def closes_referral(self) -> bool:
        return any(status == "Closed" for status, _, _ in self.send)

    def without_closing(self, *, told: bool) -> Decision:
        """This decision while its closing is held: everything else goes on. `told`: the seller has read so."""
        held = self.held or self.pc == "new"  # nothing is sent before the deal is accepted
        notes = () if told else (_BRAKED,)
        return replace(self, send=(), closing=None, held=held, braked=True, notes=notes)


_BRAKED = Note("BRAKE_CLOSINGS")


def of_referral(referral: Referral) -> str:
    """The referral's status in one word."""
    status, substatus = (referral.status or "").lower(), (referral.substatus or "").lower()
    if substatus == "error":
        return "error"
    if status == "closed":
        return _SUBSTATUS.get(substatus, "lost")
    return {"new": "new", "active": "active"}.get(status, "unknown")


def of_opportunity(opportunity: Opportunity, terms: Terms) -> str:
    """The opportunity's state in one word."""
    if opportunity.statecode == crm_side.WON:
        return "won"
    if opportunity.statecode == crm_side.LOST:
        return "lost"
    return "hold" if opportunity.statuscode == terms.statuses.on_hold else "open"


def decide(state: SyncState, referral: Referral, opportunity: Opportunity, terms: Terms, now: datetime) -> Decision:
    """The decision for one pair."""
    pc, crm = of_referral(referral), of_opportunity(opportunity, terms)
    if pc in TERMINAL:
        return _terminal(state, pc, crm, referral, terms)
    if pc == "new":
        return _unanswered(state, pc, crm, referral, opportunity, terms, now)
    if pc == "active":
        return _active(state, pc, crm, referral, opportunity, terms, now)
    shown = {"status": str(referral.status), "substatus": str(referral.substatus)}
    note = Note("STATUS_UNKNOWN", shown)
    return Decision(pc, crm, notes=(note,) if state.status_pc != pc else ())


def _terminal(state: SyncState, pc: str, crm: str, referral: Referral, terms: Terms) -> Decision:
    if crm in ("open", "hold"):
        if state.status_pc == pc:  # it was closed here too, and a seller reopened it: that stays
            news = state.status_crm in ("won", "lost")
            return Decision(pc, crm, frozen=True, problem=_DEAL_TERMINAL if news else None)
        notes: tuple[Note, ...] = ()
        if state.status_pc is not None and state.status_crm not in (None, crm):
            notes = (Note("CONFLICT_TERMINAL", {"pc": (pc,)}),)
        return Decision(pc, crm, closing=_closing(pc, referral, terms), frozen=True, notes=notes)
    if (pc == "won") != (crm == "won") and state.status_pc != pc:
        differs = Note("CONFLICT_TERMINAL", {"pc": (pc,), "crm": (crm,)}, case="differs")
        return Decision(pc, crm, frozen=True, notes=(differs,))
    if (pc == "won") != (crm == "won") and state.status_crm != crm:  # reopened and ended otherwise since then
        return Decision(pc, crm, frozen=True, problem=_DEAL_TERMINAL)
    return Decision(pc, crm, frozen=True)


_DEAL_TERMINAL = Note("DEAL_TERMINAL")


def late_edit() -> Note:
    """What a seller reads who edits a deal that is closed in Partner Center."""
    return _DEAL_TERMINAL


def _closing(pc: str, referral: Referral, terms: Terms) -> Closing:
    reason = referral.status_reason
    if pc == "won":
        return Closing(True, terms.statuses.won, outcome("won_there"), reason)
    another_vendor = pc == "lost" and "vendor" in (reason or "").lower()
    status = terms.statuses.out_sold if another_vendor else terms.statuses.declined
    return Closing(False, status, outcome(f"{pc}_there"), reason)


def _unanswered(
    state: SyncState, pc: str, crm: str, referral: Referral, opportunity: Opportunity, terms: Terms, now: datetime
) -> Decision:
    """New: an inbound deal waits for the seller; our own deals are New for a moment only."""
    if state.outbound:
        return Decision(pc, crm)
    if crm == "hold":
        return Decision(pc, crm, held=True)
    if crm == "open":
        if state.status_crm in ("hold", None):
            return Decision(pc, crm, send=(("Active", "Accepted", None),))
        return Decision(pc, crm, held=True)
    wait = _grace(state, terms, now)
    if wait:
        return Decision(pc, crm, held=True, wait_s=wait)
    if crm == "won":
        steps = (("Active", "Accepted", None), ("Closed", "Won", None))
        return Decision(pc, crm, send=steps, notes=_early(referral, now))
    return Decision(pc, crm, send=(("Closed", "Declined", close_reason(opportunity, terms)),), held=True)


def _active(
    state: SyncState, pc: str, crm: str, referral: Referral, opportunity: Opportunity, terms: Terms, now: datetime
) -> Decision:
    if crm == "hold":
        accepted_there = state.status_pc == "new"
        return Decision(pc, crm, crm_reason=terms.statuses.active if accepted_there else None)
    if crm == "open":
        return Decision(pc, crm)
    wait = _grace(state, terms, now)
    if wait:
        return Decision(pc, crm, wait_s=wait)
    if crm == "won":
        return Decision(pc, crm, send=(("Closed", "Won", None),), notes=_early(referral, now))
    return Decision(pc, crm, send=(("Closed", "Lost", close_reason(opportunity, terms)),))


def _early(referral: Referral, now: datetime) -> tuple[Note, ...]:
    """Registering a won deal, on which incentives depend, wants time between its creation and its end."""
    created, solutions = referral.created_date_time, referral.details.requirements.solutions
    eligible = any((solution.id or "").upper().startswith("SOL-") for solution in solutions)
    if created is None or not eligible or now - created >= REGISTRATION_WAIT:
        return ()
    return (Note("WON_BEFORE_72H"),)


def _grace(state: SyncState, terms: Terms, now: datetime) -> float:
    """Seconds still to wait before a terminal status may be sent; 0 when it is due."""
    since = state.terminal_since or now
    return max(0.0, (since + timedelta(seconds=terms.terminal_grace_s) - now).total_seconds())


def close_reason(opportunity: Opportunity, terms: Terms) -> str:
    """The reason for Partner Center: the seller's choice, else what the status reason says, else "Others"."""
    reasons = terms.mapping.values["close_reason"]
    chosen = reasons.get(str(opportunity.row.values.get("cosell_closereason") or ""))
    if chosen:
        return str(chosen)
    return str(reasons["100000003"] if opportunity.statuscode == terms.statuses.out_sold else reasons["100000008"])
