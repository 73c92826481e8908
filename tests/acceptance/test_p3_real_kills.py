"""Real kills (P3): host and broker die by SIGKILL while they are at named steps; `python -m tests.kills` has all."""

from __future__ import annotations

import pytest

from tests.acceptance.world import World
from tests.kills.rounds import Kills
from tests.kills.steps import Step, named
from tests.kills.stories import Problems

pytestmark = pytest.mark.sandbox

AT_ONCE: dict[str, tuple[Step, ...]] = {
    "after effects": (
        named("share: own referral"),
        named("edit: announcement"),
        named("arrive: opportunity"),
        named("lose there: closing"),
    ),
    "before effects": (
        named("share: Microsoft's invitation", "before"),
        named("edit: write-back", "before"),
        named("accept: write-back", "before"),
        named("lose there: counted", "before"),
    ),
    "the broker": (named("share: flow 5's hint", victim="broker"),),
}


@pytest.mark.parametrize("steps", AT_ONCE.values(), ids=AT_ONCE)
def test_p3_killed_at_several_steps_at_once(world: World, steps: tuple[Step, ...]) -> None:
    """Each kill cuts all of these flows short, and everything is finished once after the restart."""
    kills = Kills(world)
    assert kills.at(*steps) == Problems()
    assert kills.kills == 1
