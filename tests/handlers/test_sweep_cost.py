"""What a sweep costs on a whole system in memory: calls per pair and per minute, and what it does when told to wait."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.errors import Throttled
from shared.handlers import sweep
from shared.messages import Hint
from tests.chaos.world import World
from tests.contract.deals import deal
from tests.handlers.town import TO_CRM, TO_PC, Town


def test_a_hundred_pairs_cost_a_handful_of_calls(town: Town) -> None:
    for _ in range(40):
        town.share()
    town.rest()
    town.world.dataverse.counts.clear()
    town.center.counts.clear()
    found, hints = town.sweep(all_open_deals=True)
    assert (found.compared, hints) == (47, [])
    assert town.center.counts.total() <= 5
    assert town.world.dataverse.counts.total() <= 8


def test_a_sweep_that_is_told_to_wait_has_sent_what_it_found(town: Town) -> None:
    """The hints go out page by page."""
    for _ in range(3):
        town.unheard(lambda: town.center.create(deal(externalReferenceId=None)))
    town.unheard(lambda: town.edit(town.private, estimatedvalue=Decimal(65000)))

    def throttled(call: str) -> None:
        if call == "dataverse.find" and town.world.queues.hints(TO_CRM):
            raise Throttled("DV_THROTTLED", "Dynamics 365 asked to wait.")

    town.world.dataverse.before_call = throttled
    with pytest.raises(Throttled):
        town.sweep()
    assert len(town.world.queues.hints(TO_CRM)) == 3


def test_AT_F11_however_many_changed_no_minute_has_more_calls_than_configured() -> None:
    """Sixty deals made while nobody listened, at eighty calls a minute: one call after the other, for some minutes."""
    world, limit = World(), 80
    world.feeds.deaf = True
    made = [world.center.create(deal(externalReferenceId=None)).id for _ in range(60)]
    world.feeds.deaf = False
    called: list[float] = []
    world.center.before_call = lambda _: called.append(world.clock.monotonic())
    found = sweep.handle(world.connections, timedelta(hours=2))
    assert (found.compared, found.hinted) == (60, 60)
    world.drain()
    assert all(world.dataverse.rows.equal("opportunity", "cosell_referralidentifier", one) for one in made)
    assert world.parked == []
    assert len(called) > 2 * limit
    for index, first in enumerate(called):
        assert sum(1 for at in called[index : index + limit + 1] if at < first + 60 - 1e-6) <= limit
    world.clock.advance(1200)
    assert sweep.handle(world.connections, timedelta(hours=2)).differing == 0


def test_two_sweeps_within_a_minute_are_one(town: Town) -> None:
    town.unheard(lambda: town.edit(town.private, estimatedvalue=Decimal(65000)))
    town.sweep()
    assert len(town.sweep()[1]) == 1
    hint = town.world.queues.hints(TO_PC)[0]
    assert hint.message_id(TO_PC) == Hint.model_validate(
        {**hint.model_dump(), "correlation_id": uuid.uuid4()}
    ).message_id(TO_PC)
