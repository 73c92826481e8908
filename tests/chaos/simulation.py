"""One run of promise P1: deeds until enough events were told, then rest, repair, reconciliation, and the verdict.

`run` is a function of (seed, steps): the same two give the same result. `shortest` finds a small list of steps that
still fails (delta debugging), so that a failing seed can be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from shared.messages import Queue
from tests.chaos import invariants
from tests.chaos.faults import Random, Rates
from tests.chaos.people import People, Step, generate
from tests.chaos.world import World

_SWEEP_EVERY = timedelta(hours=1)
_LOOK_BACK = timedelta(minutes=75)
_CALLS_PER_MINUTE = 600
"""More than the default for Partner Center: weeks of work pass in hours here, and most deliveries would only wait."""


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    seed: str
    events: int
    steps: tuple[Step, ...]
    violations: tuple[str, ...]
    injected: Counter[str]
    done: Counter[str]
    """Deliveries, writes, parked messages and the like."""
    log: tuple[str, ...]


def run(
    seed: str,
    *,
    events: int = 10_000,
    steps: Iterable[Step] | None = None,
    rates: Rates | None = None,
    make: Callable[[str, Random], World] = World,
) -> Result:
    """Until `events` events were told, or exactly `steps`. `make` builds the world."""
    plan = Random(f"{seed}/faults", rates if rates is not None else Rates())
    world = make(seed, plan)
    world.ports.calls_per_minute["partner_center"] = _CALLS_PER_MINUTE
    world.ports.restart()
    people = People(world)
    with world.log:
        played = _play(
            world, plan, people, generate(seed) if steps is None else steps, events if steps is None else None
        )
        return _finish(world, plan, people, tuple(played))


def _play(world: World, plan: Random, people: People, steps: Iterable[Step], events: int | None) -> list[Step]:
    """The steps that were played; `events` ends a list without an end."""
    played: list[Step] = []
    next_sweep = world.clock() + _SWEEP_EVERY
    for step in steps:
        if events is not None and world.feeds.emitted >= events:
            break
        world.work_until(world.clock() + timedelta(seconds=step.wait_s))
        if plan.happens("skew"):
            world.app_clock.skew_s = world.random.uniform(-300, 300)
        if world.clock() >= next_sweep:
            world.sweep(_LOOK_BACK)
            next_sweep = world.clock() + _SWEEP_EVERY
        people.play(step)
        played.append(step)
    return played


def _finish(world: World, plan: Random, people: People, played: tuple[Step, ...]) -> Result:
    """Everything works again: rest, replay what is parked, reconcile, and see that nothing is left to do."""
    plan.on = False
    told = world.feeds.emitted
    world.app_clock.skew_s = 0.0
    world.ports.restart()
    world.drain()
    broken = [*invariants.parked(world)]
    parked = replay(world)
    world.drain()
    world.clock.advance(3600)
    world.sweep()
    world.drain()
    before = len(world.journal.writes)
    world.clock.advance(3600)
    world.sweep()
    world.drain()
    more = world.journal.writes[before:]
    if more:
        broken.append(f"I3: one more reconciliation made {len(more)} writes: {'; '.join(more[:3])}")
    broken += [*world.journal.violations, *invariants.check(world), *still_waiting(world)]
    done = Counter(
        deeds=people.done,
        deliveries=world.host.counts["deliveries"],
        writes=before,
        parked=parked,
        reordered=world.host.counts["reordered"],
        logged=world.log.count,
        opportunities=len(world.dataverse.rows.all("opportunity")),
        referrals=len(world.center.documents),
    )
    log = tuple(world.log.lines)
    return Result(world.seed, told, played, tuple(dict.fromkeys(broken)), plan.counts, done, log)


def replay(world: World) -> int:
    """Send every parked message that can be read, and every dead letter, back to its queue; how many were parked."""
    count = 0
    for message in world.parked:
        count += 1
        if message.code != "UNREADABLE_MESSAGE":
            world.queues.put(message.queue, message.body)
    while taken := world.queues.receive(Queue.PARKED):
        world.queues.complete(taken)
    dead, world.queues.dead = world.queues.dead, []
    for letter in dead:
        world.queues.put(letter.queue, letter.body)
    return count + len(dead)


def still_waiting(world: World) -> list[str]:
    """After a replay with the cause gone, nothing may be parked again."""
    return [f"I8: {m.code} of {m.queue} is parked again after its replay" for m in world.parked]


def shortest(seed: str, steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """A list no part of which can be left out in halves, quarters, … or alone without the failure going away."""
    kept, parts = list(steps), 2
    while len(kept) >= 2:
        size = max(1, len(kept) // parts)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if rest and fails(rest):
                kept, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(len(kept), parts * 2)
    return kept


def first(seed: str, count: int) -> list[Step]:
    """The first steps of a seed."""
    return list(islice(generate(seed), count))
