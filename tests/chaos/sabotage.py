"""Seven ways to break the connector on purpose: each must be noticed, or the simulation proves nothing.

Nothing of the product is switched or patched: a world is made with another handler, with ports around the ports, or
without its timer. `test_sabotage` runs them all; `make chaos SABOTAGE=ignore-if-match` runs one and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import shared.handlers.create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared import messages
from shared.connections import Connections
from shared.domain import incoming, outgoing
from shared.domain.changes import settled
from shared.domain.plan import merge
from shared.domain.state import COLUMN, SyncState, parse
from shared.errors import NotFound, UnknownOutcome
from shared.handlers import opportunities
from shared.messages import Hint, Queue
from shared.ports import PatchOperation, Row
from tests.chaos import simulation
from tests.chaos.faults import Random, Rates
from tests.chaos.people import Step
from tests.chaos.simulation import Result
from tests.chaos.world import FLOWS, World
from tests.fakes.service_bus import Message

type Make = Callable[[str, Random], World]


@dataclass(frozen=True)
class Sabotage:
    """One thing that is broken. `without`: faults that are left out because healing them would hide it."""

    breaks: str
    make: Make
    without: tuple[str, ...] = ()


def run(
    broken: str | None,
    seed: str,
    *,
    events: int = 10_000,
    steps: Iterable[Step] | None = None,
    kinds: Sequence[str] | None = None,
) -> Result:
    """A run of the simulation with one of `ALL` broken, without a sweep (`NO_SWEEP`), or as it is (None).

    `kinds`: the faults that happen.
    """
    rates = Rates() if kinds is None else Rates().only(kinds)
    if broken is None:
        return simulation.run(seed, events=events, steps=steps, rates=rates)
    one = {**ALL, NO_SWEEP: _NO_SWEEP}[broken]
    left = [kind for kind in rates.kinds if kind not in one.without]
    return simulation.run(seed, events=events, steps=steps, rates=rates.only(left), make=one.make)


# -- another handler ---------------------------------------------------------------------------------------------------
def _create_unreserved(hint: Hint, connections: Connections) -> str:
    """Flow 2 as in a dry run, which writes no reservation, with ports that are not dry."""
    return flow_2.handle(hint, replace(connections, dry_run=True))


def _write_both(hint: Hint, connections: Connections) -> str:
    """What a connector does that reads a pair once and then writes wherever it sees a difference."""
    try:
        opportunity = opportunities.load(connections, hint.row_id)
        if opportunity.referral_id is None or opportunity.state.linking or opportunity.state.reservation:
            return FLOWS[Queue.DYNAMICS_365_TO_PARTNER_CENTER][1](hint, connections)
        referral = connections.partner_center.get(opportunity.referral_id)
    except NotFound:
        return "gone"
    if referral.is_closed or opportunity.statecode:
        return FLOWS[Queue.DYNAMICS_365_TO_PARTNER_CENTER][1](hint, connections)
    terms = connections.terms
    plan = merge(opportunity.state, referral, opportunity, terms)
    operations = [PatchOperation(*o) for o in outgoing.operations(plan.to_pc, opportunity, terms, referral)]
    state = opportunity.state
    if operations:
        connections.partner_center.patch(referral.id, operations, None)
        state = settled(state, plan.to_pc, connections.partner_center.get(referral.id), opportunity, terms, side="pc")
    state = settled(state, plan.to_crm, referral, opportunity, terms, side="crm")
    columns = incoming.changed(plan.to_crm, referral, terms)
    connections.dataverse.update("opportunity", opportunity.id, {**columns, COLUMN: state.to_json()}, None)
    return "both written"


def _with(queue: Queue, handle: Callable[[Hint, Connections], str]) -> Make:
    return partial(World, flows={**FLOWS, queue: (messages.parse, handle)})


# -- ports around the ports --------------------------------------------------------------------------------------------
def _around(port: str, **methods: Callable[..., Callable[..., Any]]) -> Make:
    """A world in which methods of one port are made from what they were."""

    def between(connections: Connections) -> Connections:
        inner = getattr(connections, port)
        outer = SimpleNamespace(**{**vars(inner), **{n: wrap(getattr(inner, n)) for n, wrap in methods.items()}})
        return replace(connections, **{port: outer})

    return partial(World, between=between)


def _posted_again(create: Callable[..., Any]) -> Callable[..., Any]:
    """Whoever holds a lost answer for a request that never arrived posts it again."""

    def again(body: Mapping[str, Any]) -> Any:
        try:
            return create(body)
        except UnknownOutcome:
            return create(body)

    return again


def _baseless(get: Callable[..., Row]) -> Callable[..., Row]:
    """Rows as if nothing had ever been agreed."""

    def read(*args: Any, **kwargs: Any) -> Row:
        row = get(*args, **kwargs)
        if COLUMN not in row.values or not row.values[COLUMN]:
            return row
        state: SyncState = parse(row.text(COLUMN)).but(seen={}, sent={})
        return replace(row, values={**row.values, COLUMN: state.to_json()})

    return read


def _any_version(connections: Connections) -> Connections:
    crm, center = connections.dataverse, connections.partner_center

    def update(table: str, row_id: str, values: Mapping[str, Any], _etag: str | None) -> None:
        crm.update(table, row_id, values, None)

    def patch(referral_id: str, operations: Sequence[PatchOperation], _etag: str | None) -> Any:
        return center.patch(referral_id, operations, None)

    return replace(
        connections,
        dataverse=SimpleNamespace(**{**vars(crm), "update": update}),  # type: ignore[arg-type]
        partner_center=SimpleNamespace(**{**vars(center), "patch": patch}),  # type: ignore[arg-type]
    )


# -- another host ------------------------------------------------------------------------------------------------------
class Unswept(World):
    """No timer: what no event told is never found."""

    def sweep(self, look_back: timedelta = timedelta(days=0)) -> None:
        """Nothing."""


class CompletedFirst(Unswept):
    """Messages are gone from their queue as soon as they are taken: what a killed process or a failed send loses."""

    def __init__(self, seed: str, plan: Random) -> None:
        super().__init__(seed, plan)
        self.queues.abandon = self._gone  # type: ignore[method-assign]

    def _gone(self, message: Message) -> None:
        """Completed before its work was done."""


ALL: Mapping[str, Sabotage] = {
    "skip-reservation": Sabotage(
        "flow 2 creates without a reservation", _with(Queue.CREATE_COSELL_REFERRAL, _create_unreserved)
    ),
    "complete-before-send": Sabotage(
        "a message is completed before what it causes is sent", CompletedFirst, without=("dropped",)
    ),
    "no-base": Sabotage("the merge has no base to compare with", _around("dataverse", get=_baseless)),
    "ignore-if-match": Sabotage("writes go without the version they read", partial(World, between=_any_version)),
    "timeout-is-not-applied": Sabotage(
        "a lost answer counts as not applied", _around("partner_center", create=_posted_again)
    ),
    "write-both": Sabotage(
        "both directions are written from one read", _with(Queue.DYNAMICS_365_TO_PARTNER_CENTER, _write_both)
    ),
    "skip-sweep": Sabotage("nothing looks for what no event told", Unswept),
}
NO_SWEEP = "no-sweep"
_NO_SWEEP = Sabotage("nothing: what was told must be enough without a sweep", Unswept, without=("dropped",))
"""The control of two of them, and a search of its own: a sweep heals, and hides, what the flows lose."""
