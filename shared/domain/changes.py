"""What a merge decided for each side, and what is remembered of a pair once it was written. Data and small functions.

`shared.domain.plan` makes plans; the flows apply the half they may write and put `settled` (and `overruled`) into the
state that goes with the same write. Nothing here compares values or knows who calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from shared.domain import status
from shared.domain.audit import shown
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.rules import RULES
from shared.domain.sentences import Note
from shared.domain.state import Canonical, Seen, Sent, SyncState, fingerprint
from shared.domain.terms import Terms


@dataclass(frozen=True)
class Change:
    """One value for one side. `losing` is the other value of a conflict, for the audit."""

    row: MappingRow
    old: Canonical
    new: Canonical
    losing: Canonical = None
    conflict: bool = False
    settles: bool = True
    """False for a joined note: the other side still has to get it."""
    told: Note | None = None
    """What the seller reads besides, in the audit and as a note on the timeline."""
    restore: bool = False
    """True for a CRM column that is set back because Partner Center cannot follow; flow 5's to write."""

    @property
    def decided(self) -> bool:
        """Whether it settles a conflict: one value won, rather than two texts being joined."""
        return self.conflict and self.settles

    def describe(self) -> str:
        """`field old>new` as the audit shows it."""
        free = RULES[self.row.rule].free_text
        text = f"{self.row.field} {shown(self.old, free_text=free)}>{shown(self.new, free_text=free)}"
        return f"{text} (CONFLICT with {shown(self.losing, free_text=free)})" if self.conflict else text


def described(changes: Iterable[Change]) -> list[Note | str]:
    """Changes as the audit shows them, and what they tell; half an amount that stays as it is is not shown."""
    found: list[Note | str] = []
    for change in changes:
        found += [change.describe()] if change.old != change.new else []
        found += [change.told] if change.told else []
    return found


@dataclass(frozen=True)
class Plan:
    """What a merge decided."""

    to_crm: tuple[Change, ...] = ()
    to_pc: tuple[Change, ...] = ()
    agreed: dict[str, tuple[Canonical, Canonical]] = field(default_factory=dict)
    """Fields whose two values need no write but whose base is out of date: Partner Center's value, the CRM's."""
    confirmed: tuple[Change, ...] = ()
    """The part of `agreed` where both sides now hold one new value: a write that was made but not yet recorded."""
    notes: tuple[Note, ...] = ()
    problems: tuple[Note, ...] = ()
    """Notes that make the record ✖; like `notes` they come once, as the base then knows the value."""
    inbound_problems: tuple[Note, ...] = ()
    """What keeps Partner Center's values out of the CRM; comes with every plan until the cause is gone."""

    @property
    def late(self) -> tuple[Change, ...]:
        """What a closed referral will never take. A closed deal may still change hands."""
        return tuple(change for change in self.to_pc if not RULES[change.row.rule].independent)


def settled(state: SyncState, done: tuple[Change, ...], referral: Referral, opportunity: Opportunity, terms: Terms,
            *, side: str) -> SyncState:  # fmt: skip
    """The state after the changes in `done` were written to `side` (`pc` or `crm`); `referral` as it is now."""
    seen: dict[str, tuple[Canonical, Canonical]] = {}
    for change in done:
        rule = RULES[change.row.rule]
        pc = rule.from_referral(referral, change.row, terms)
        held = rule.as_crm(change.new, change.row, terms)
        crm = held if side == "crm" else rule.from_opportunity(opportunity, change.row, terms)
        if change.settles:
            seen[change.row.field] = (pc, crm)
    return state.with_seen(seen)


def left(
    changes: Iterable[Change], opportunity: Opportunity, terms: Terms, written: Iterable[Change] = ()
) -> dict[str, tuple[Canonical, Canonical]]:
    """The base of changes that will never be sent: what each side holds, not what would have gone out.

    `written` went to the opportunity since it was read.
    """
    new = {change.row.field: change.new for change in written}
    return {
        change.row.field: (
            change.old,
            new.get(change.row.field, RULES[change.row.rule].from_opportunity(opportunity, change.row, terms)),
        )
        for change in changes
    }


def announced(state: SyncState, changes: Iterable[Change], opportunity: Opportunity, terms: Terms) -> SyncState:
    """The state to write before `changes` go to Partner Center; what went before them and arrived becomes the base."""
    seen, sent = dict(state.seen), dict(state.sent)
    for change in changes:
        field_, before = change.row.field, state.sent.get(change.row.field)
        if before and before.pc == fingerprint(change.old):
            seen[field_] = Seen(pc=before.pc, crm=before.crm)
        if change.settles and change.new != change.old:  # what stays as it is cannot be seen to arrive
            crm = RULES[change.row.rule].from_opportunity(opportunity, change.row, terms)
            sent[field_] = Sent(pc=fingerprint(change.new), crm=fingerprint(crm), before=fingerprint(change.old))
    return state.but(seen=seen, sent=sent)


def unsent(opportunity: Opportunity, terms: Terms) -> bool:
    """Whether the row holds what Partner Center did not have when both last agreed; Partner Center is not asked."""
    state = opportunity.state
    if state.status_crm != status.of_opportunity(opportunity, terms):
        return True  # not shared yet, or accepted, won or lost since
    return any(
        row.field in state.seen
        and state.seen[row.field].crm != fingerprint(RULES[row.rule].from_opportunity(opportunity, row, terms))
        for row in terms.mapping.opportunity
        if row.rule == "help" or row.outbound("update", terms.profile)
    )


def to_be_created(opportunity: Opportunity, terms: Terms) -> dict[str, Sent]:
    """What a referral made from the opportunity as it is will hold, for `SyncState.sent`: fields that change later."""
    values = {
        row.field: fingerprint(RULES[row.rule].from_opportunity(opportunity, row, terms))
        for row in terms.mapping.opportunity
        if row.outbound("create", terms.profile) and row.outbound("update", terms.profile) and row.rule != "visibility"
    }
    return {name: Sent(pc=value, crm=value, before="") for name, value in values.items()}


def overruled(state: SyncState, lost: tuple[Change, ...], side: Literal["pc", "crm"]) -> SyncState:
    """The state when `side` lost these conflicts and is about to be written for another reason.

    The losing value counts as seen, so that our own write, which makes that side the newer one, cannot turn the
    decision before the other flow has carried it out.
    """
    seen = dict(state.seen)
    for change in lost:
        before, value = seen.get(change.row.field, Seen()), fingerprint(change.losing)
        seen[change.row.field] = Seen(pc=before.pc, crm=value) if side == "crm" else Seen(pc=value, crm=before.crm)
    return state.but(seen=seen)
