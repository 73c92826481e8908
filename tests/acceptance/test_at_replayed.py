"""The same stories with every event twice or out of order, and all of them once more at the end: no difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance import test_at_b_create as create
from tests.acceptance import test_at_c_resistance as resistance
from tests.acceptance import test_at_c_update as update
from tests.acceptance.world import World

pytestmark = pytest.mark.sandbox

STORIES = [
    create.test_AT_B01_complete_co_sell_deal,
    create.test_AT_B07_solution_added_later,
    update.test_AT_C01_new_revenue,
    update.test_AT_C07_private_deal_becomes_co_sell,
    update.test_AT_C09_visible_deal_cannot_be_hidden,
    resistance.test_AT_C15_sync_switched_on_again,
]
_FORGOTTEN_S = 700
"""Longer than the queues remember the ids of messages."""


def everything(world: World) -> tuple[Any, ...]:
    """Every row and every referral, to compare with themselves later."""
    tables = ("opportunities", "cosell_microsoftsolutions", "accounts", "contacts", "leads")
    rows = {table: world.seller.find(table, orderby="createdon") for table in tables}
    return rows, world.portal.referrals()


def last_event(world: World) -> int:
    return max((event["n"] for event in world.sim("partner_center", "GET", "/_sim/events").json()), default=0)


@pytest.mark.parametrize("mode", ["duplicate", "reorder"])
@pytest.mark.parametrize("story", STORIES, ids=[story.__name__.removeprefix("test_") for story in STORIES])
def test_replayed(world: World, story: Callable[[World], None], mode: str) -> None:
    """Whatever the network does to the messages, a deal ends as if each had come once and in order."""
    before = last_event(world)
    world.partner_center_delivery(mode=mode, seed=20)
    world.dataverse_events(mode=mode)
    if mode == "duplicate":
        world.fault("broker", kind="duplicate_delivery", times=None)

    story(world)

    world.clear_faults()
    world.partner_center_delivery(mode="normal")
    world.settle()
    ended = everything(world)
    events = [event["n"] for event in world.sim("partner_center", "GET", f"/_sim/events?since={before}").json()]
    assert events
    world.advance("broker", _FORGOTTEN_S)
    with world.counting() as pc:
        world.sim("partner_center", "POST", "/_sim/redeliver", json={"events": events[::-1]})
        world.settle()
    assert pc.count("POST", "PATCH", "PUT") == 0
    assert pc.count("GET") > 0
    assert everything(world) == ended
