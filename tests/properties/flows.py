"""Both flows' halves on plain dictionaries: what is merged, written and remembered, without ports, queues or clocks.

Flow 4 writes towards the CRM and settles what it wrote; flow 5 writes towards Partner Center, settles that and takes
over what is agreed. People edit either side between the halves. Time moves on with every write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain import incoming, outgoing
from shared.domain.changes import Plan, announced, overruled, settled
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.row import Lookup
from shared.domain.rules import RULES
from shared.domain.state import Canonical, SyncState, parse
from shared.domain.terms import Terms
from tests.unit import pairs

START = datetime(2026, 3, 4, tzinfo=UTC)


@dataclass
class Pair:
    """One deal on both sides. `writes` counts what the flows wrote, by side."""

    known: Terms
    document: dict[str, Any] = field(default_factory=pairs.document)
    columns: dict[str, Any] = field(default_factory=dict)
    currency: str | None = "NOK"
    solutions: dict[str, str] = field(default_factory=lambda: dict(pairs.SOLUTIONS))
    state: str = ""
    writes: dict[str, int] = field(default_factory=lambda: {"crm": 0, "pc": 0})
    told: list[str] = field(default_factory=list)
    ticks: int = 0
    _read: Referral | None = None
    _row: Opportunity | None = None

    @classmethod
    def in_step(cls, known: Terms) -> Pair:
        pair = cls(known)
        pair.state = pairs.in_step(pair.referral, pair.row, known).to_json()
        return pair

    @property
    def referral(self) -> Referral:
        self._read = self._read or Referral.model_validate(self.document)
        return self._read

    @property
    def row(self) -> Opportunity:
        self._row = self._row or pairs.opportunity(self.columns, currency=self.currency, solutions=self.solutions)
        return self._row

    @property
    def plan(self) -> Plan:
        return merge(parse(self.state), self.referral, self.row, self.known)

    # -- people ------------------------------------------------------------------------------------------------------
    def edit_crm(self, changes: dict[str, Any]) -> None:
        """A seller saves; `currency` and `solutions` stand for the lookup and the rows."""
        rest = dict(changes)
        self.currency = rest.pop("currency", self.currency)
        self.solutions = rest.pop("solutions", self.solutions)
        self.columns |= {**rest, "modifiedon": self._tick()}
        self._row = None

    def edit_pc(self, changes: dict[str, Any]) -> None:
        """Somebody saves in the portal; members by dotted path."""
        for path, value in changes.items():
            *parents, last = path.split(".")
            holder = self.document
            for name in parents:
                holder = holder[name]
            holder[last] = value
        self.document["updatedDateTime"] = self._tick().isoformat()
        self._read = None

    # -- flows -------------------------------------------------------------------------------------------------------
    def flow_4(self) -> bool:
        """Partner Center's values into the CRM; whether anything was written."""
        plan, referral = self.plan, self.referral
        changes = tuple(change for change in plan.to_crm if not change.restore)
        self.told += [note.code for note in plan.inbound_problems]
        if not changes:
            return False
        state = settled(parse(self.state), changes, referral, self.row, self.known, side="crm")
        state = overruled(state, tuple(change for change in plan.to_pc if change.decided), "pc")
        columns = incoming.changed(changes, referral, self.known)
        lookup = columns.pop("transactioncurrencyid", None)
        if isinstance(lookup, Lookup):
            self.currency = next(code for code, one in self.known.currencies.items() if one.id == lookup.id)
        for change in changes:
            if change.row.rule == "solutions" and isinstance(change.new, tuple):
                self.solutions = dict.fromkeys(change.new, "")
        self.edit_crm(columns)
        self.state = state.to_json()
        self.writes["crm"] += 1
        return True

    def flow_5(self, *, dies_after_sending: bool = False) -> bool:
        """The CRM's values to Partner Center, restored columns and the base into the CRM."""
        plan, row = self.plan, self.row
        operations = outgoing.operations(plan.to_pc, row, self.known, self.referral)
        if operations:
            self.state = announced(parse(self.state), plan.to_pc, row, self.known).to_json()
            self.edit_crm({})
            assert len({path for _, path, _ in operations}) == len(operations)
            self.edit_pc({path[1:].replace("/", "."): _json(value) for _, path, value in operations})
            self.writes["pc"] += 1
            if dies_after_sending:
                return True
        state = settled(parse(self.state), plan.to_pc, self.referral, row, self.known, side="pc")
        state = state.with_seen(plan.agreed)
        self.told += [note.code for note in (*plan.notes, *plan.problems)]
        restored = {
            change.row.column: RULES[change.row.rule].to_column(change.new, change.row, self.known)
            for change in plan.to_crm
            if change.restore
        }
        if restored or state.to_json() != self.state:
            state = overruled(state, tuple(change for change in plan.to_crm if change.decided), "crm")
            self.edit_crm(restored)
            self.state = state.to_json()
        return bool(operations or restored)

    def settle(self, *, crm_first: bool) -> int:
        """Both halves in turn until neither writes; the number of writes."""
        before = sum(self.writes.values())
        for _ in range(6):
            flows = (self.flow_5, self.flow_4) if crm_first else (self.flow_4, self.flow_5)
            wrote = [flow() for flow in flows]
            if not any(wrote):
                return sum(self.writes.values()) - before
        raise AssertionError(f"still writing after six rounds: {self.plan}")

    # -- looking -----------------------------------------------------------------------------------------------------
    def values(self, name: str) -> tuple[Canonical, Canonical]:
        """A field's value as the CRM would hold Partner Center's, and as it does hold it."""
        row = self.known.mapping.row(name)
        assert row is not None
        rule = RULES[row.rule]
        held = rule.as_crm(rule.from_referral(self.referral, row, self.known), row, self.known)
        return held, rule.from_opportunity(self.row, row, self.known)

    def _tick(self) -> datetime:
        self.ticks += 1
        return START + timedelta(seconds=self.ticks)


def empty_state() -> str:
    return SyncState().to_json()


def _json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
