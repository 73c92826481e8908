"""Sellers, colleagues in the portal and Microsoft's sellers: what they do, at random, with values nobody else writes.

A `Step` is data: what, whom, when. It draws nothing from the run, so any subset of a list of steps can be played
again; a step that finds nobody to act on does nothing. Everybody obeys their own system: what Dynamics 365 or Partner
Center refuses is not done. `generate` makes an endless list from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import Conflict, DataProblem, NotFound
from tests.chaos.deeds_in_partner_center import PartnerCenterDeeds

if TYPE_CHECKING:
    from tests.chaos.world import World

WEIGHTS = {
    # Dynamics 365
    "new_deal": 7,
    "value": 12,
    "close_date": 8,
    "notes": 10,
    "stage": 4,
    "rename": 1,
    "campaign": 2,
    "add_solution": 6,
    "remove_solution": 2,
    "ask_for_help": 3,
    "make_visible": 2,
    "sync_off": 1,
    "sync_on": 2,
    "correct_account": 3,
    "accept": 4,
    "decline": 1,
    "win": 2,
    "lose": 2,
    "reopen": 1,
    "delete": 1,
    "qualify_lead": 1,
    "disqualify_lead": 1,
    # Partner Center
    "portal_deal": 2,
    "portal_deal_for_opportunity": 1,
    "portal_value": 10,
    "portal_date": 6,
    "portal_notes": 8,
    "portal_stage": 3,
    "portal_solutions": 3,
    "portal_accept": 2,
    "portal_decline": 1,
    "portal_win": 1,
    "portal_lose": 1,
    # Microsoft
    "invite": 5,
    "invite_lead": 2,
    "microsoft_accepts": 4,
    "microsoft_declines": 1,
    "microsoft_closes": 1,
    "expire": 1,
}


@dataclass(frozen=True)
class Step:
    """One deed. `whom` picks among those it fits; `wait_s` passes before it; `number` makes its values unique."""

    number: int
    deed: str
    whom: int
    wait_s: float

    def __str__(self) -> str:
        return f"{self.number}:{self.deed}({self.whom}) after {self.wait_s:.2f} s"


def generate(seed: str, mean_wait_s: float = 5.0) -> Iterator[Step]:
    """Deeds in bursts and pauses; the first few make deals to work on."""
    chance = random.Random(f"{seed}/people")
    deeds, weights = list(WEIGHTS), list(WEIGHTS.values())
    number = 0
    while True:
        number += 1
        early = ("new_deal", "invite", "portal_deal", "invite_lead", "new_deal", "new_deal")
        deed = early[number - 1] if number <= len(early) else chance.choices(deeds, weights)[0]
        burst = chance.random() < 0.4
        wait = chance.uniform(0.01, 0.3) if burst else chance.expovariate(1 / (mean_wait_s * 1.6))
        yield Step(number, deed, chance.getrandbits(16), wait)


class People(PartnerCenterDeeds):
    """Plays steps on a world."""

    def __init__(self, world: World) -> None:
        super().__init__(world.dataverse, world.center, world.clock)
        self.done = 0

    def play(self, step: Step) -> bool:
        """Whether there was somebody to act on and the system allowed it."""
        self.clock.advance(0.001)
        deed: Callable[[Step], bool] = getattr(self, step.deed)
        try:
            acted = deed(step)
        except (DataProblem, Conflict, NotFound):  # their own system says no; they shrug
            return False
        self.done += acted
        return acted
