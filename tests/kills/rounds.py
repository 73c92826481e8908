"""One kill after the other: deals are prepared, acted upon, held at their steps, and the process dies by SIGKILL.

Once they are held two more deals, which nobody holds, are edited, one on each side: they are cut short wherever they
are. After the restart everything must come to rest by itself, and each deal is looked at from outside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.acceptance.world import Json, World
from tests.kills.steps import Step
from tests.kills.stories import EDIT, EDIT_THERE, Pair, Problems, problems

_LOCK_S = 120
"""Longer than any lock of the dead process on its messages."""
_WITHIN_S = 120
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_READING = "/$batch"
"""Where the connector reads many rows at once; it writes none there (`shared.clients.batch`)."""


@dataclass
class Kills:
    """A series of kills in one world."""

    world: World
    kills: int = 0
    pairs: list[Pair] = field(default_factory=list)
    found: Problems = field(default_factory=Problems)
    seconds: float = 0.0
    """Of the last kill: from SIGKILL to the process being ready again."""
    _company: list[Pair] = field(default_factory=list)
    _aside_before: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._aside_before = set(self._aside())

    def at(self, *steps: Step) -> Problems:
        """Kill the one victim of these steps while it is at all of them at once; what is wrong afterwards."""
        world = self.world
        (victim,) = {step.victim for step in steps}
        if not self._company:
            self._company = [story.prepare(world) for story in (EDIT, EDIT_THERE)]
        deals = [step.story.prepare(world) for step in steps]
        world.settle(_WITHIN_S)
        for pair in (*deals, *self._company):
            pair.find(world)
        held = [step.hold(world, pair) for step, pair in zip(steps, deals, strict=True)]
        for step, pair in zip(steps, deals, strict=True):
            step.story.act(world, pair)
        for step, reached in zip(steps, held, strict=True):
            world.until(reached, step.words, _WITHIN_S)
        for story, pair in zip((EDIT, EDIT_THERE), self._company, strict=True):
            story.act(world, pair)
        time.sleep(self.kills % 6 / 10)  # another moment of theirs each time
        self._kill(victim)
        world.settle_ladder(_WITHIN_S)
        aside = tuple(sentence for sentence in self._aside() if sentence not in self._aside_before)
        found = sum((problems(world, pair) for pair in (*deals, *self._company)), Problems(lost=aside))
        self.pairs += deals
        self.found += found
        return found

    def another_look(self) -> list[Json]:
        """The writes of one more full comparison: none, when both sides have converged."""
        world = self.world
        with world.counting("dataverse") as crm, world.counting("partner_center") as center:
            world.run_timer("compare")
            world.settle_ladder(_WITHIN_S)
        asked = (*crm.requests, *center.requests)
        return [one for one in asked if one["method"] in _WRITES and not one["path"].endswith(_READING)]

    def _kill(self, victim: str) -> None:
        began = time.monotonic()
        self.world.sandbox.kill(victim)
        self.kills += 1
        if victim == "host":
            self.world.clear_faults()
        self.world.sandbox.restart(victim)
        self.seconds = time.monotonic() - began
        self.world.advance("broker", _LOCK_S)

    def _aside(self) -> list[str]:
        """What is set aside: nothing may need a person after a crash."""
        aside = [f"parked: {message['body'][:400]}" for message in self.world.parked()]
        return aside + [f"dead letter: {message['body'][:400]}" for message in self.world.dead_letters()]
