"""Promise P5: events in any order lead to the same end. A history of deeds, and its events delivered as one likes.

No field is changed on both sides here: what comes of that depends on who saw what first, and is the merge's business.
The end is compared by `end_state`. `python -m tests.chaos.orders 1000` tries that many random orders of fifty events.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.messages import Queue
from tests.chaos import end_state, invariants
from tests.chaos.people import Step
from tests.chaos.prepared import Prepared
from tests.chaos.scenarios import Cast
from tests.chaos.world import World

type Event = tuple[Queue, str]
SHORT = ("value", "add_solution", "portal_date", "microsoft_accepts")
"""Six events: two of the four deeds are told of both Microsoft's record and ours."""
LONG = (
    *("microsoft_accepts", "rename", "value"),
    *("value", "notes", "portal_date", "stage", "campaign", "add_solution", "portal_date") * 6,
)
"""Fifty events all over two deals."""


class Everybody(Cast):
    """Spreads its deeds over all deals."""

    def play_all(self, deeds: Sequence[str]) -> None:  # type: ignore[override]  # told apart by their place
        for place, deed in enumerate(deeds):
            self._number += 1
            self.play(Step(self._number, deed, 2 * place, 0.0))


@dataclass(frozen=True)
class History:
    """The world after all deeds, before anybody was told, and what there is to tell."""

    prepared: Prepared[Everybody]
    events: tuple[Event, ...]
    debounce_s: float
    """0: every event is acted on where it stands in the order; else changes of one moment in the CRM become one."""


def _world(debounce_s: float) -> World:
    return World("orders", at_once=1, window=1, debounce_s=debounce_s)


@cache
def history(before: tuple[str, ...], deeds: tuple[str, ...], most: int, debounce_s: float) -> History:
    """The first `most` events of these deeds."""
    world = _world(debounce_s)
    people = Everybody(world)
    people.play_all(before)
    world.drain()
    people.play_all(deeds)
    events = [(queue, body) for queue in list(Queue)[:-1] for body in world.queues.bodies(queue)]
    for queue in list(Queue)[:-1]:
        while world.queues.receive(queue):
            pass
    return History(Prepared(people, world), tuple(events[:most]), debounce_s)


def outcome(of: History, order: Sequence[Event]) -> tuple[dict[str, Any], list[str]]:
    """The end state when the events come one after the other in this order, and what is violated then."""
    _, world = of.prepared.again(lambda: _world(of.debounce_s))
    with world.log:
        for queue, body in order:
            world.queues.put(queue, body)
            world.host.work(lambda: True)
    world.drain()
    return end_state.of(world), [*world.journal.violations, *invariants.check(world), *invariants.parked(world)]


def short() -> History:
    return history(("co_sell_deal",), SHORT, 6, 0.0)


def long() -> History:
    return history(("co_sell_deal", "private_deal"), LONG, 50, 3.0)


def random_order(of: History, number: int) -> list[Event]:
    """The `number`-th, the same every time."""
    order = list(of.events)
    random.Random(f"order {number}").shuffle(order)
    return order


def main(arguments: Sequence[str]) -> int:
    """Random orders of the long history; 1 when two of them end differently."""
    expected, wrong = outcome(long(), long().events), 0
    count = int(arguments[0]) if arguments else 1000
    for number in range(count):
        if outcome(long(), random_order(long(), number)) != expected:
            wrong += 1
            print(f"order {number} ends differently")  # noqa: T201 - a command
    print(f"every order: {count} random orders of {len(long().events)} events, {wrong} ended differently")  # noqa: T201 - a command
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
