"""The sweep against a hint for every pair: people work, nobody hears of half of it, and both must find the same."""

from __future__ import annotations

import uuid
from datetime import timedelta
from itertools import islice

import pytest

from shared.handlers import sweep
from shared.messages import Hint, Queue
from tests.chaos.people import People, generate
from tests.chaos.world import World

ALWAYS = timedelta(days=3650)


def rest(world: World) -> None:
    world.drain()
    world.clock.advance(3600)
    world.drain()


def hint_at_everything(world: World) -> None:
    """What the sweep would have to do if it could not compare."""
    for subject, queue, ids in (
        ("referral", Queue.PARTNER_CENTER_EVENTS, list(world.center.documents)),
        ("opportunity", Queue.DYNAMICS_365_TO_PARTNER_CENTER, list(world.dataverse.rows.all("opportunity"))),
    ):
        for one in ids:
            world.queues.send(queue, Hint(subject=subject, id=uuid.UUID(one), reason="sweep", version="everything"))


@pytest.mark.parametrize("seed", ["north", "south"])
def test_after_a_sweep_a_hint_for_every_pair_finds_nothing(seed: str) -> None:
    world = World(seed)
    people = People(world)
    for number, step in enumerate(islice(generate(seed), 160)):
        world.feeds.deaf = number >= 80
        world.work_until(world.clock() + timedelta(seconds=step.wait_s))
        people.play(step)
    world.feeds.deaf = False
    rest(world)
    differing = []
    while not differing or differing[-1]:
        assert len(differing) < 4, f"the sweep does not come to an end: {differing}"
        differing.append(sweep.handle(world.connections, ALWAYS).differing)
        rest(world)
    assert differing[0] > 10, "much was missed"
    before = len(world.journal.writes)
    hint_at_everything(world)
    rest(world)
    assert world.journal.writes[before:] == []
    assert world.parked == []
