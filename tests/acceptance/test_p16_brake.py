"""The brake on the whole system (P16): mass closing stops, an alert is raised once, a command lets it go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.command_line import admin
from tests.acceptance.profiles import LIMITED
from tests.acceptance.world import World

pytestmark = pytest.mark.sandbox

MOST = int(LIMITED["BRAKE_CLOSINGS_PER_HOUR"])
OPEN, LOST = 0, 2
IN_SYNC, PENDING, CLOSED = 100000002, 100000001, 100000005
TOO_LATE = {"status": "Closed", "substatus": "Lost", "statusReason": "Too late"}


def closed_there(world: World, deals: list[str]) -> list[str]:
    return [one for one in deals if world.own_of(one)["status"] == "Closed"]


def shared_deals(world: World, number: int) -> list[str]:
    """Deals that have arrived in Partner Center."""
    deals = [world.new_deal() for _ in range(number)]
    world.settle(60)
    assert all(world.opportunity(one)["cosell_referralidentifier"] for one in deals)
    return deals


def test_p16_mass_closing_pauses_one_direction_and_resumes_by_command(limited: Callable[..., World]) -> None:
    """A script wins all my deals: one gets through, the rest waits for the operator, and everything else goes on."""
    world = limited()
    deals = shared_deals(world, 4)
    *won, other = deals
    for one in won:
        world.seller.win(one)
    world.seller.update("opportunities", other, description="Still talking.")
    world.settle(60)

    passed = closed_there(world, won)
    held = [one for one in won if one not in passed]
    assert len(passed) <= MOST < len(won)
    assert world.log().count("ALERT BRAKE_CLOSINGS") == 1
    assert world.own_of(other)["details"]["notes"] == "Still talking."
    assert {world.opportunity(one)["cosell_syncstatus"] for one in held} == {PENDING}
    assert all("BRAKE_CLOSINGS" in world.audit(one)[0] for one in held)

    # The other direction goes on, and a look at everything changes nothing.
    world.portal.edit(world.own_of(other)["id"], TOO_LATE)
    world.settle()
    assert world.opportunity(other)["statecode"] == LOST
    lines = {one: len(world.audit(one)) for one in held}
    world.run_timer("sweep")
    world.settle(60)
    assert closed_there(world, held) == []
    assert {one: len(world.audit(one)) for one in held} == lines

    # The operator looks, keeps one of them open, and lets the others go.
    listed = admin(world, "closings", "list")
    assert listed.code == 0
    assert f"{len(held)} held." in listed.out
    kept = world.own_of(held[0])["id"]
    discarded = admin(world, "closings", "discard", f"partner-center:{kept}")
    assert (discarded.code, discarded.out.splitlines()[0]) == (0, f"left open partner-center:{kept}")
    approved = admin(world, "closings", "approve", "--all")
    assert approved.code == 0, approved.err
    assert "Closings to Partner Center go on." in approved.out
    world.settle_ladder(60)
    assert closed_there(world, held) == held[1:]
    assert {world.opportunity(one)["cosell_syncstatus"] for one in held[1:]} == {CLOSED}
    assert world.log().count("ALERT BRAKE_CLOSINGS") == 1
    assert world.parked() == []
