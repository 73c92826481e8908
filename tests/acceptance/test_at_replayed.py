"""The same stories with every event twice and out of order, and all of them once more at the end: no difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance import test_at_b_create as create
from tests.acceptance import test_at_c_resistance as resistance
from tests.acceptance import test_at_c_update as update
from tests.acceptance import test_at_d_from_partner_center as inbound
from tests.acceptance import test_at_e_endings as endings
from tests.acceptance import test_at_e_microsoft as microsoft
from tests.acceptance import test_at_f_both_sides as both
from tests.acceptance.world import World

pytestmark = pytest.mark.sandbox

STORIES = [
    create.test_AT_B01_complete_co_sell_deal,
    create.test_AT_B07_solution_added_later,
    update.test_AT_C01_new_revenue,
    update.test_AT_C07_private_deal_becomes_co_sell,
    update.test_AT_C09_visible_deal_cannot_be_hidden,
    resistance.test_AT_C15_sync_switched_on_again,
    inbound.test_AT_D05_only_what_changed,
    inbound.test_AT_D10_lead_accepted,
    endings.test_AT_E11_lost_to_another_vendor,
    microsoft.test_AT_E01_microsoft_accepts,
    microsoft.test_AT_E06_accepting_in_the_crm,
    both.test_AT_F05_different_fields_at_once,
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


@pytest.mark.parametrize("story", STORIES, ids=[story.__name__.removeprefix("test_") for story in STORIES])
def test_replayed(world: World, story: Callable[[World], None]) -> None:
    """Whatever the network does to the messages, a deal ends as if each had come once and in order.

    Both systems send out of order, the queues hand out everything twice; the stories' own questions are the yardstick.
    """
    before = last_event(world)
    world.partner_center_delivery(mode="reorder", seed=20)
    world.dataverse_events(mode="reorder")
    twice = world.fault("broker", kind="duplicate_delivery", times=None)

    story(world)

    assert world.fired("broker", twice) > 0
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
