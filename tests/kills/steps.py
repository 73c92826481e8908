"""The named steps at which a process is killed: the writes of a deal's life before and after their effect, and sends.

`Step.hold` keeps the step from going on: the simulator or broker that the process is talking to lets it wait. How a
kill goes is in `tests.kills.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from tests.acceptance.simulators import Part
from tests.acceptance.world import REFERRALS, World
from tests.kills.stories import ACCEPT, ARRIVE, EDIT, EDIT_THERE, LOSE_THERE, SHARE, WIN, Pair, Story

_API = "/api/data/v9.2"
_ROW, _REFERRAL = f"{_API}/opportunities({{opportunity}})", f"{REFERRALS}/{{referral}}"
_WAITS_S = 60


@dataclass(frozen=True)
class Step:
    """One request of one flow, or one send to a queue (`method` is then SEND and `path` the queue)."""

    name: str
    story: Story
    part: Part
    method: str
    path: str
    skip: int = 0
    """How many such requests of the story come first."""
    when: Literal["before", "after"] = "after"
    victim: Literal["host", "broker"] = "host"

    @property
    def words(self) -> str:
        killed = "" if self.victim == "host" else " (the broker)"
        return f"{self.name}, {self.when} its effect{killed}"

    def hold(self, world: World, pair: Pair) -> Callable[[], bool]:
        """Let the step wait when it comes; the answer tells whether it has come."""
        if self.part == "broker":
            fault = world.fault("broker", kind="delay", queue=self.path, times=1, delay_s=_WAITS_S)
            return lambda: world.fired("broker", fault) > 0
        part, path = self.part, self.path.format(opportunity=pair.opportunity, referral=pair.referral)
        seen = max((one["n"] for one in world.requests(part)), default=0)
        kind = "hold" if self.when == "before" else "hold_answer"
        fault = world.fault(part, kind=kind, method=self.method, path=path, skip=self.skip, times=1, delay_s=_WAITS_S)

        def held() -> bool:
            if self.when == "before":
                return world.fired(part, fault) > 0
            made = [one["status"] for one in world.requests(part, self.method, path) if one["n"] > seen]
            return len(made) > self.skip and made[self.skip] is not None

        return held


def _writes() -> Iterator[tuple[str, Story, Part, str, str, int]]:
    yield "share: reservation", SHARE, "dataverse", "PATCH", _ROW, 0
    yield "share: own referral", SHARE, "partner_center", "POST", REFERRALS, 0
    yield "share: its id into the opportunity", SHARE, "dataverse", "PATCH", _ROW, 1
    yield "share: Microsoft's invitation", SHARE, "partner_center", "POST", REFERRALS, 1
    yield "share: write-back", SHARE, "dataverse", "PATCH", _ROW, 2
    yield "edit: announcement", EDIT, "dataverse", "PATCH", _ROW, 0
    yield "edit: referral", EDIT, "partner_center", "PATCH", _REFERRAL, 0
    yield "edit: write-back", EDIT, "dataverse", "PATCH", _ROW, 1
    yield "edit there: opportunity", EDIT_THERE, "dataverse", "PATCH", _ROW, 0
    yield "arrive: account", ARRIVE, "dataverse", "POST", f"{_API}/accounts", 0
    yield "arrive: contact", ARRIVE, "dataverse", "POST", f"{_API}/contacts", 0
    yield "arrive: opportunity", ARRIVE, "dataverse", "POST", f"{_API}/opportunities", 0
    yield "arrive: solution", ARRIVE, "dataverse", "POST", f"{_API}/cosell_microsoftsolutions", 0
    yield "arrive: CRM id into the referral", ARRIVE, "partner_center", "PATCH", REFERRALS, 0
    yield "arrive: completion", ARRIVE, "dataverse", "PATCH", f"{_API}/opportunities", 0
    yield "accept: referral", ACCEPT, "partner_center", "PATCH", _REFERRAL, 0
    yield "accept: write-back", ACCEPT, "dataverse", "PATCH", _ROW, 0
    yield "win: counted", WIN, "dataverse", "POST", f"{_API}/cosell_closings", 0
    yield "win: referral", WIN, "partner_center", "PATCH", _REFERRAL, 0
    yield "win: write-back", WIN, "dataverse", "PATCH", _ROW, 1
    yield "lose there: counted", LOSE_THERE, "dataverse", "POST", f"{_API}/cosell_closings", 0
    yield "lose there: closing", LOSE_THERE, "dataverse", "POST", f"{_API}/LoseOpportunity", 0
    yield "lose there: record", LOSE_THERE, "dataverse", "PATCH", _ROW, 0


def _sends() -> Iterator[tuple[str, Story, str]]:
    yield "edit there: the webhook's hint", EDIT_THERE, "partner-center-events"
    yield "edit there: hint about Microsoft's record", EDIT_THERE, "microsoft-referral-updates"
    yield "edit: flow 6's hint", EDIT, "dynamics-365-to-partner-center"
    yield "share: flow 5's hint", SHARE, "create-cosell-referral"


STEPS: tuple[Step, ...] = (
    *(Step(*write, when="before") for write in _writes()),
    *(Step(*write, when="after") for write in _writes()),
    *(Step(name, story, "broker", "SEND", queue) for name, story, queue in _sends()),
    *(Step(name, story, "broker", "SEND", queue, victim="broker") for name, story, queue in _sends()),
)


def named(name: str, when: str = "after", victim: str = "host") -> Step:
    """One step of the table."""
    return next(step for step in STEPS if (step.name, step.when, step.victim) == (name, when, victim))
