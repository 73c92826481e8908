"""The three-way merge: what each side should get, decided per field from base, referral and opportunity. Pure.

`merge` never writes and never asks who calls it: every flow makes the same plan and applies the half it is allowed to
write (decision A1, A3). A value that equals the base is an echo and ends here.

    Partner Center changed | CRM changed      | outcome
    yes                    | no               | to_crm
    no                     | yes              | to_pc
    yes                    | yes, same value  | agreed: only the base is renewed
    yes                    | yes, different   | the conflict policy; notes are joined so that no text is lost
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from shared.domain import amounts, texts
from shared.domain.amounts import AMOUNT
from shared.domain.audit import shown
from shared.domain.changes import Change as Change
from shared.domain.changes import Plan as Plan
from shared.domain.changes import settled as settled
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.rule import Rule
from shared.domain.rules import RULES
from shared.domain.sentences import Note
from shared.domain.state import Canonical, Seen, SyncState, fingerprint
from shared.domain.terms import Terms

_BLANK = {
    "deal_value": Note("DEAL_VALUE_EMPTY"),
    "solutions": Note("SOLUTION_REQUIRED", case="kept"),
    "closing_date": Note("CLOSE_DATE_REQUIRED", case="kept"),
}
_KEPT = {"owner": Note("TEAM_REQUIRED", case="kept"), "contact": Note("CONTACT_INCOMPLETE", case="kept")}


def merge(state: SyncState, referral: Referral, opportunity: Opportunity, terms: Terms) -> Plan:
    """The plan for one pair. `referral` is the own one."""
    merged = _Merge(state, referral, opportunity, terms)
    for row in terms.mapping.opportunity:
        if row.rule == "help" and not opportunity.microsoft_referral_id:
            continue  # choosing help is no change but a second referral: flow 2
        merged.consider(row)
    return merged.plan()


class _Merge:
    """Collects one plan; lives for one call of `merge`."""

    def __init__(self, state: SyncState, referral: Referral, opportunity: Opportunity, terms: Terms) -> None:
        self.state, self.referral, self.opportunity, self.terms = state, referral, opportunity, terms
        self.converted = amounts.converted(referral, terms)
        self.whole = self.converted is not None or amounts.apart(state.seen.get("deal_value"))
        """Whether value and currency are compared and written as one: their numbers differ from side to side."""
        self.to_crm: list[Change] = []
        self.to_pc: list[Change] = []
        self.agreed: dict[str, tuple[Canonical, Canonical]] = {}
        self.confirmed: list[Change] = []
        self.notes: list[Note] = []
        self.problems: list[Note] = []
        self.inbound_problems: list[Note] = []

    def consider(self, row: MappingRow) -> None:
        rule, seen = RULES[row.rule], self.state.seen.get(row.field)
        pc, crm = self._values(row)
        pc_changed = seen is None or fingerprint(pc) != seen.pc
        crm_changed = seen is None or fingerprint(crm) != seen.crm
        if not (pc_changed or crm_changed):
            return
        if seen is None and rule.independent and row.field not in self.state.sent:
            self.agreed[row.field] = (pc, crm)
            return
        if all(map(self._alike, self._amount_rows() if self._is_whole(row) else (row,))):
            if seen is not None and pc is not None and not crm_changed and self._follows(row):
                self.to_crm.append(Change(row, _remembered(seen.pc), pc))
                return
            self.agreed[row.field] = (pc, crm)
            if seen is not None:
                self.confirmed.append(self._confirmed(row, seen, pc, crm))
            return
        sent, now = self.state.sent.get(row.field), fingerprint(pc)
        # What was sent has arrived, and is not yet written down as the base; a text that never did must not be lost.
        if sent is not None and (now == sent.pc or (now != sent.before and row.rule != "notes")):
            seen, pc_changed, crm_changed = sent, fingerprint(pc) != sent.pc, fingerprint(crm) != sent.crm
            if not (pc_changed or crm_changed):
                self.agreed[row.field] = (pc, crm)
                return
        pc_comes = pc_changed and self._takes_from_pc(row, rule, seen, pc, crm)
        crm_goes = crm_changed and self._goes_to_pc(row, rule, seen, pc, crm, filled=pc_comes)
        if pc_comes and crm_goes:
            self._conflict(row, pc, crm)
        elif pc_comes:
            self.agreed.pop(row.field, None)  # the CRM's value is about to be replaced: no base before that
            self.to_crm.append(Change(row, crm, self._brought(row, pc)))
        elif crm_goes:
            self._send(row, pc, crm, _remembered(seen.crm) if seen else None)

    def _confirmed(self, row: MappingRow, seen: Seen, pc: Canonical, crm: Canonical) -> Change:
        """A value that arrived before whoever sent it wrote it down; and what it replaced, if somebody else's."""
        sent, old = self.state.sent.get(row.field), _remembered(seen.crm)
        if sent is None or sent.pc != fingerprint(pc) or sent.before in (None, "", seen.pc):
            return Change(row, old, crm)
        return Change(row, old, crm, losing=_remembered(sent.before), conflict=True)

    def _takes_from_pc(self, row: MappingRow, rule: Rule, seen: Seen | None, pc: Canonical, crm: Canonical) -> bool:
        if not row.inbound("update", self.terms.profile):
            return False
        if _blank(row, pc) or (row.rule == "currency" and not self._amount("pc")):
            return rule.blank_to_crm and seen is not None and seen.pc is not None
        return not (row.rule == "visibility" and crm == "visible")

    def _goes_to_pc(
        self, row: MappingRow, rule: Rule, seen: Seen | None, pc: Canonical, crm: Canonical, *, filled: bool
    ) -> bool:
        """Whether a changed CRM value may travel; otherwise notes why, once, and settles or restores it.

        `filled`: Partner Center has a new value for the column, so that an emptied one needs no note.
        """
        refused = rule.refused(self.referral, self.opportunity, crm)
        patchable = row.outbound("update", self.terms.profile) or (row.rule == "name" and self.terms.patch_name)
        if refused or not patchable:
            speaks = row.refusal and (refused or not row.to_pc - {"create"})  # what `parity` leaves out is no refusal
            if seen is None or not row.refusal or not speaks:
                self.agreed[row.field] = (pc, crm)
                return False
            self.notes.append(Note(row.refusal, {"field": row.field}))
            if rule.restores:
                self.to_crm.append(Change(row, crm, _remembered(seen.crm), restore=True))
            else:
                self.agreed[row.field] = (pc, crm)
            return False
        nothing = _blank(row, crm) or (row.rule == "currency" and not self._amount("crm"))
        if nothing and not (rule.blank_to_pc and seen is not None and seen.crm is not None):
            if seen is not None and row.field in _BLANK and not filled:
                self.problems.append(_BLANK[row.field])
            elif seen is not None and row.rule in _KEPT:
                self.notes.append(_KEPT[row.rule])
            self.agreed[row.field] = (pc, crm)
            return False
        return True

    def _amount(self, side: str) -> bool:
        """Whether a side holds an amount; a currency without one is only a default and says nothing."""
        row = self.terms.mapping.row("deal_value")
        if row is None:
            return True
        pc, crm = self._values(row)
        return not _blank(row, pc if side == "pc" else crm)

    def _values(self, row: MappingRow) -> tuple[Canonical, Canonical]:
        rule, terms = RULES[row.rule], self.terms
        return rule.from_referral(self.referral, row, terms), rule.from_opportunity(self.opportunity, row, terms)

    def _send(self, row: MappingRow, pc: Canonical, crm: Canonical, base: Canonical) -> None:
        """The CRM's value for Partner Center, as the rule sends it."""
        new = RULES[row.rule].sent(pc, crm, base, row, self.terms)
        if new == pc and not self._is_whole(row):
            self.agreed[row.field] = (pc, crm)
        else:
            self.to_pc.append(Change(row, pc, new))

    def _follows(self, row: MappingRow) -> bool:
        """Whether the columns beside the row's own are to hear of a change that the row's column cannot show."""
        return RULES[row.rule].beside is not None and row.inbound("update", self.terms.profile)

    def _brought(self, row: MappingRow, pc: Canonical) -> Canonical:
        """Partner Center's value as the CRM can hold it, in the row's column and those beside it."""
        return pc if RULES[row.rule].beside else self._held(row, pc)

    def _held(self, row: MappingRow, pc: Canonical) -> Canonical:
        """Partner Center's value as the row's column can hold it."""
        if self.converted and row.field in AMOUNT:
            return self.converted.values[row.field]
        return RULES[row.rule].as_crm(pc, row, self.terms)

    def _alike(self, row: MappingRow) -> bool:
        """Whether the CRM holds what Partner Center does, as far as it can."""
        pc, crm = self._values(row)
        return crm == self._held(row, pc) or (crm == pc and row.field not in AMOUNT)

    def _is_whole(self, row: MappingRow) -> bool:
        return self.whole and row.field in AMOUNT

    def _amount_rows(self) -> list[MappingRow]:
        return list(filter(None, map(self.terms.mapping.row, AMOUNT)))

    def _winner(self) -> str:
        """Whose value counts in a conflict: pc, crm, or nobody's (manual)."""
        if self.terms.conflict != "latest":
            return self.terms.conflict
        return "pc" if _newer(self.referral.updated_date_time, self.opportunity) else "crm"

    def _conflict(self, row: MappingRow, pc: Canonical, crm: Canonical) -> None:
        if row.rule == "notes" and isinstance(pc, str) and isinstance(crm, str):
            self._join(row, pc, crm)
            return
        winner = self._winner()
        if winner == "pc":
            self.to_crm.append(Change(row, crm, self._brought(row, pc), losing=crm, conflict=True))
        elif winner == "crm":
            self.to_pc.append(Change(row, pc, crm, losing=pc, conflict=True))
        else:
            self._undecided(row, pc, crm)

    def _undecided(self, row: MappingRow, pc: Canonical, crm: Canonical) -> None:
        free = RULES[row.rule].free_text
        both = {"pc": shown(pc, free_text=free), "crm": shown(crm, free_text=free)}
        self.inbound_problems.append(Note("CONFLICT", {"field": row.field, **both}))

    def _join(self, row: MappingRow, pc: str, crm: str) -> None:
        """Both texts in one. What the CRM cannot hold whole goes to Partner Center first and comes back from there."""
        bare = crm.replace(texts.CONTINUED, "").strip()
        joined = bare if pc in bare else pc if bare in pc else f"{pc}\n\n{bare}"
        held = RULES[row.rule].as_crm(joined, row, self.terms)
        if held != crm and joined in (pc, held):
            self.to_crm.append(Change(row, crm, held, losing=crm, conflict=True, settles=joined == pc))
        if joined != pc:
            self.to_pc.append(Change(row, pc, joined, losing=pc, conflict=True, settles=joined == crm))

    def plan(self) -> Plan:
        self._one_amount()
        self._unknown_currency()
        return Plan(
            tuple(self.to_crm), tuple(self.to_pc), self.agreed, tuple(self.confirmed),
            tuple(self.notes), tuple(self.problems), tuple(self.inbound_problems),
        )  # fmt: skip

    def _one_amount(self) -> None:
        """Value and currency travel together: an amount under another currency's symbol is another amount."""
        moving = [change for change in (*self.to_crm, *self.to_pc) if change.row.field in AMOUNT]
        if not moving:
            return
        torn = any(change in self.to_crm for change in moving) and any(change in self.to_pc for change in moving)
        winner = self._winner() if torn else "pc" if moving[0] in self.to_crm else "crm"
        conflict = torn or any(change.conflict for change in moving)
        self.to_crm = [change for change in self.to_crm if change not in moving]
        self.to_pc = [change for change in self.to_pc if change not in moving]
        for row in self._amount_rows():
            (pc, crm), profile = self._values(row), self.terms.profile
            there = crm == (pc if winner == "crm" else self._held(row, pc))
            known = self.state.seen.get(row.field) == Seen(pc=fingerprint(pc), crm=fingerprint(crm))
            if there and (known or not self.whole):
                continue
            if winner == "pc" and row.inbound("update", profile) and not _blank(row, pc):
                self.agreed.pop(row.field, None)
                self.problems = [problem for problem in self.problems if problem is not _BLANK.get(row.field)]
                told = self.converted.note if self.converted and row.field == "deal_value" else None
                lost = crm if conflict else None
                self.to_crm.append(Change(row, crm, self._held(row, pc), losing=lost, conflict=conflict, told=told))
            elif winner == "crm" and row.outbound("update", profile) and not _blank(row, crm):
                self.agreed.pop(row.field, None)
                self.to_pc.append(Change(row, pc, crm, losing=pc if conflict else None, conflict=conflict))
            elif winner == "manual":
                self._undecided(row, pc, crm)

    def _unknown_currency(self) -> None:
        """An amount is never written under another currency's symbol."""
        left = [change for change in self.to_crm if change.row.field not in AMOUNT]
        if left != self.to_crm and not self.converted and amounts.foreign(self.referral, self.terms):
            self.to_crm, problem = left, amounts.problem(self.referral, self.terms)
            self.inbound_problems += [problem] if problem else []


def _blank(row: MappingRow, value: Canonical) -> bool:
    if row.rule == "money" and isinstance(value, str):
        return Decimal(value) == 0
    return value is None or value in ("", ())


def _newer(updated: datetime | None, opportunity: Opportunity) -> bool:
    """Whether Partner Center's change is the later one; a tie is Partner Center's."""
    changed = opportunity.changed_at
    return changed is None or (updated is not None and updated >= changed)


def _remembered(value: str | None) -> Canonical:
    """The value behind a fingerprint; long values are only a hash and stay unknown."""
    try:
        decoded = json.loads(value or "null")
    except ValueError:
        return None
    return tuple(map(str, decoded)) if isinstance(decoded, list) else decoded if isinstance(decoded, str) else None
