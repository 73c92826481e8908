"""Promise P4: one event a hundred times, with sixteen workers at once, has the effect of that event once."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from shared.messages import Queue
from tests.chaos import end_state, invariants
from tests.chaos.prepared import Prepared
from tests.chaos.scenarios import Cast
from tests.chaos.world import World

TIMES, WORKERS = 100, 16
ORDERS = 1
_DEAL = ("co_sell_deal", "rest", "microsoft_accepts")

# what was there, the deed, the queue that hears of it, and the write that may happen once
KINDS: dict[str, tuple[tuple[str, ...], str, Queue, str]] = {
    "referral-created": ((), "invite", Queue.PARTNER_CENTER_EVENTS, "Create opportunity"),
    "referral-created for a lead": ((), "invite_lead", Queue.PARTNER_CENTER_EVENTS, "Create lead"),
    "referral-created in the portal": ((), "portal_deal", Queue.PARTNER_CENTER_EVENTS, "Create opportunity"),
    "referral-updated, a field": (_DEAL, "portal_value", Queue.PARTNER_CENTER_EVENTS, "estimatedvalue"),
    "referral-updated, an ending": (_DEAL, "portal_win", Queue.PARTNER_CENTER_EVENTS, "Create opportunityclose"),
    "related-referral-updated": (_DEAL, "microsoft_closes", Queue.PARTNER_CENTER_EVENTS, "cosell_microsoftstatus"),
    "an opportunity created": ((), "co_sell_deal", Queue.DYNAMICS_365_OPPORTUNITIES, "referral-created"),
    "an opportunity updated": (_DEAL, "value", Queue.DYNAMICS_365_OPPORTUNITIES, "referral-updated"),
    "a lead qualified": (("invite_lead",), "qualify_lead", Queue.DYNAMICS_365_OPPORTUNITIES, "estimatedvalue"),
    "a solution row created": (_DEAL, "add_solution", Queue.DYNAMICS_365_SOLUTIONS, "referral-updated"),
}


def _world(seed: str = "duplicates") -> World:
    return World(seed, at_once=WORKERS, window=2 * TIMES, debounce_s=0.0)


@cache
def _prepared(before: tuple[str, ...]) -> Prepared[Cast]:
    world = _world()
    cast = Cast(world)
    cast.play_all((*before, "rest"))
    return Prepared(cast, world)


def _after(kind: str, seed: str, times: int) -> World:
    """The world at rest after the deed whose events came `times` times."""
    before, deed, queue, _ = KINDS[kind]
    cast, world = _prepared(before).again(lambda: _world(seed))
    world.journal.writes.clear()
    cast.play_all((deed,))
    for body in world.queues.bodies(queue) * (times - 1):
        world.queues.put(queue, body)
    world.drain()
    return world


@cache
def _once(kind: str) -> dict[str, Any]:
    return end_state.of(_after(kind, "once", 1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_times_is_once(kind: str) -> None:
    for order in range(ORDERS):
        world = _after(kind, f"{kind} {order}", TIMES)
        assert world.host.counts["deliveries"] >= TIMES
        assert sum(KINDS[kind][3] in write for write in world.journal.writes) == 1, world.journal.writes
        assert len(world.dataverse.rows.all("opportunity")) <= 1
        assert [*world.journal.violations, *invariants.check(world), *invariants.parked(world)] == []
        assert world.parked == []
        assert world.queues.dead == []
        assert end_state.of(world) == _once(kind)
