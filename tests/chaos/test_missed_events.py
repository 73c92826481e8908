"""Promise P7: nobody is told anything for a day; what the connector does by itself brings both sides together again.

The sweep of every quarter of an hour sees what moved a referral's or an opportunity's time of change within its
look-back. What moves neither (a solution row, the customer's address, Microsoft's record alone), and what lies longer
back because the connector stood still as well, is found by the nightly comparison of all open deals.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.handlers import sweep
from shared.settings import Settings
from tests.chaos import invariants
from tests.chaos.people import People, Step, generate
from tests.chaos.world import World

LOOK_BACK = timedelta(hours=Settings.model_fields["look_back_hours"].default)
NIGHTLY = timedelta(days=Settings.model_fields["nightly_look_back_days"].default)
_NOT_SEEN = (
    *("new_deal", "add_solution", "remove_solution", "correct_account"),
    *("microsoft_accepts", "microsoft_declines", "microsoft_closes"),
)
"""Deeds that move neither time, or not of everything they change: left to the night."""
_DEEDS_BEFORE = 60


def _world(seed: str) -> World:
    """With one worker: what a comparison finds is the question here, not who is quicker."""
    return World(seed, at_once=1, window=1)


def _deaf_for(world: World, time: timedelta, wait_s: float, leave_out: tuple[str, ...] = ()) -> None:
    """Some deals in step, then deeds that nobody is told of."""
    people, steps = People(world), generate(world.seed, wait_s)
    for step in _first(steps, _DEEDS_BEFORE):
        people.play(step)
        world.work_until(world.clock() + timedelta(seconds=5))
    world.drain()
    assert invariants.check(world) == []
    done, until = people.done, world.clock() + time
    world.feeds.deaf = True
    for step in steps:
        if world.clock() + timedelta(seconds=step.wait_s) > until:
            break
        world.clock.advance(step.wait_s)
        if step.deed not in leave_out:
            people.play(step)
    world.clock.set(until)
    world.feeds.deaf = False
    assert people.done - done > 20, "people were busy"
    assert invariants.check(world) != [], "and it shows"


def _first(steps: Iterator[Step], count: int) -> Iterator[Step]:
    return (next(steps) for _ in range(count))


def _compare(world: World) -> int:
    """The nightly comparison; how many writes came of it."""
    before = len(world.journal.writes)
    sweep.handle(world.connections, NIGHTLY, all_open_deals=True)
    world.drain()
    return len(world.journal.writes) - before


def _in_step(world: World) -> None:
    """Nothing differs; a second look may still note what the first one made late, a third finds nothing."""
    assert [*world.journal.violations, *invariants.check(world), *invariants.parked(world)] == []
    world.clock.advance(900)
    _compare(world)
    world.clock.advance(900)
    assert _compare(world) == 0
    assert [*world.journal.violations, *invariants.check(world)] == []


@pytest.mark.parametrize("seed", ["missed 1", "missed 3"])
def test_one_comparison_replaces_every_event_of_a_day(seed: str) -> None:
    world = _world(seed)
    _deaf_for(world, timedelta(hours=24), 600.0)
    _compare(world)
    _in_step(world)


@pytest.mark.parametrize("seed", ["missed 4", "missed 5"])
def test_one_sweep_replaces_the_events_within_its_look_back(seed: str) -> None:
    world = _world(seed)
    _deaf_for(world, LOOK_BACK - timedelta(minutes=15), 100.0, _NOT_SEEN)
    world.sweep(LOOK_BACK)
    world.drain()
    _in_step(world)
