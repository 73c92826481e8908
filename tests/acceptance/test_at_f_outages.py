"""Outages, limits and upgrades: nothing is lost, nothing is doubled (AT-F10, F11, F18)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.command_line import admin
from tests.acceptance.found import opportunities_carrying
from tests.acceptance.profiles import LIMITED
from tests.acceptance.world import REFERRALS, World

pytestmark = pytest.mark.sandbox

OVERLAY = """version = 1
opportunity = [ { field = "contract", referral = "contractKind", column = "new_contractkind", default = "Resale" } ]
"""


def test_AT_F10_sign_in_expired(world: World) -> None:
    """The service user's password changed: I notice nothing but a delay, and no edit of mine is lost."""
    deals = [world.new_deal() for _ in range(10)]
    world.settle()
    owns = {deal: world.own_of(deal)["id"] for deal in deals}
    world.sim("entra", "PUT", "/_sim/switches", json={"expires_in_s": 1, "automatic_consent": True})
    world.sandbox.restart("host")  # it holds a token for another hour
    world.sim("entra", "POST", "/_sim/revoke")
    alerts, resumed = world.log().count("ALERT"), world.log().count("RESUMED")
    try:
        with world.counting("partner_center") as center:
            for deal in deals:
                for step in range(1, 11):  # ten edits of each deal: a hundred
                    world.seller.update("opportunities", deal, estimatedvalue=50000 + step)
            world.settle(scheduled=False)
        assert center.requests == []
        assert all(world.opportunity(deal)["name"].startswith("✔ ") for deal in deals)
        assert world.log().count("ALERT") == alerts + 1
        assert world.parked() == []

        world.sim("entra", "PUT", "/_sim/switches", json={"expires_in_s": 3600})  # the command needs more than a second
        assert admin(world, "consent").code == 0
        world.settle_ladder(60)
        assert {deal: world.referral(own)["details"]["dealValue"] for deal, own in owns.items()} == dict.fromkeys(
            deals, 50010
        )
        assert all(world.opportunity(deal)["name"].startswith("✔ ") for deal in deals)
        assert world.log().count("RESUMED") == resumed + 1
        assert world.log().count("ALERT") == alerts + 1
    finally:
        world.sim("entra", "PUT", "/_sim/switches", json={"expires_in_s": 3600, "automatic_consent": False})


def test_AT_F11_many_deals_at_once(limited: Callable[..., World]) -> None:
    """Far more deals change than Partner Center may be asked about in a minute: they come one after the other.

    24 deals instead of 10 000, at 240 calls a minute: without a limit all their calls would come within seconds.
    """
    world, limit = limited(), int(LIMITED["PC_CALLS_PER_MINUTE"])
    world.partner_center_delivery(mode="drop")
    deals = [world.created_in_portal()["id"] for _ in range(24)]
    world.settle()
    world.partner_center_delivery(mode="normal")
    busy = world.fault("partner_center", kind="status", status=429, retry_after=2, path=REFERRALS, skip=30, times=1)
    with world.counting("partner_center") as center:
        world.run_timer("sweep")
        for _ in range(10):
            world.settle(60, scheduled=False)
            if all(opportunities_carrying(world, deal) for deal in deals):
                break
            time.sleep(2)  # the limit is counted in real time
            world.advance("broker", 600)
        world.settle_ladder(60)

    assert all(len(opportunities_carrying(world, deal)) == 1 for deal in deals)
    assert world.parked() == []
    assert world.fired("partner_center", busy) == 1
    at = [datetime.fromisoformat(one["at"]) for one in center.requests]
    assert len(at) > limit / 3
    most = max(sum(start <= other < start + timedelta(seconds=5) for other in at) for start in at)
    assert most <= limit / 3
    refused = next(datetime.fromisoformat(one["at"]) for one in center.requests if one["status"] == 429)
    # Calls that were on their way already arrive; no new one starts before the time is over.
    early = [one for one in at if refused + timedelta(seconds=0.5) < one < refused + timedelta(seconds=1.9)]
    assert early == []
    assert sum(one["status"] == 429 for one in center.requests) == 1


def test_AT_F18_upgrade(limited: Callable[..., World], overlay: Path) -> None:
    """A new version is put in place while work is under way: everything is finished, nothing has to be set up again."""
    world = limited(mapping=OVERLAY)
    linked = [world.shared_deal() for _ in range(3)]
    registration = world.sim("partner_center", "GET", "/_sim/registration").json()
    before = {deal: links(world.opportunity(deal)) for deal in linked}

    for deal in linked:
        world.seller.update("opportunities", deal, estimatedvalue=77000)
    fresh = [world.new_deal(help_option=HELP_PROOF_OF_CONCEPT) for _ in range(3)]
    own = world.created_in_portal()
    world.sandbox.restart("host")
    world.settle(60)

    assert overlay.read_text(encoding="utf-8") == OVERLAY
    assert world.sim("partner_center", "GET", "/_sim/registration").json() == registration
    for deal in linked:
        assert links(world.opportunity(deal)) == before[deal]
        assert world.own_of(deal)["details"]["dealValue"] == 77000
    for deal in fresh:
        assert world.opportunity(deal)["cosell_referralidentifier"] == world.own_of(deal)["id"]
        assert len(world.microsofts_of(deal)) == 1
    assert world.opportunity_of(own["id"])["new_contractkind"] == "Resale"
    assert world.parked() == []
    assert world.dead_letters() == []


def links(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that tie a row to Partner Center."""
    names = ("cosell_referralidentifier", "cosell_referrallink", "cosell_engagementidentifier")
    return {name: row[name] for name in names}
