"""Updated in the CRM against resistance: no way back, Sync off and on, throttling, somebody quicker (AT-C10 … C17)."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT, SOLUTION_ID
from tests.acceptance.deal_checks import is_marked, solution_ids
from tests.acceptance.world import REFERRALS, World

pytestmark = pytest.mark.sandbox

HELP_QUOTES = 100000004
_ECHO = re.compile(r"dynamics-365-opportunities (\w+): our own change")
"""In the log for each write of ours to a column that is shared; the number names the write, however often told."""


@pytest.mark.parametrize("choice", [None, HELP_QUOTES], ids=["cleared", "changed"])
def test_AT_C10_help_cannot_be_taken_back(world: World, choice: int | None) -> None:
    """I clear or change the help I asked for: the column goes back, and I read why."""
    deal = world.shared_deal(help_option=HELP_PROOF_OF_CONCEPT)
    own, invited = world.own_of(deal), world.microsofts_of(deal)

    world.seller.update("opportunities", deal, cosell_howcanmicrosofthelp=choice)
    world.settle()

    assert world.opportunity(deal)["cosell_howcanmicrosofthelp"] == HELP_PROOF_OF_CONCEPT
    assert world.microsofts_of(deal) == invited
    assert world.pc_writes(own["id"]) == 0
    assert [line.count("HELP_IRREVERSIBLE") for line in world.audit(deal)] == [1, 0]


def test_AT_C11_one_solution_of_two_removed(world: World) -> None:
    """I take one of two solutions off the deal: Partner Center lists the other."""
    deal = world.shared_deal(solutions=(SOLUTION_ID, "SOL-99999-XYZ"))
    own = world.own_of(deal)
    assert solution_ids(own) == [SOLUTION_ID, "SOL-99999-XYZ"]

    world.seller.delete("cosell_microsoftsolutions", world.solutions(deal)[1]["cosell_microsoftsolutionid"])
    world.settle()

    assert solution_ids(world.own_of(deal)) == [SOLUTION_ID]
    assert world.pc_writes(own["id"]) == 1
    assert " OK " in world.audit(deal)[0]


def test_AT_C12_last_solution_removed(world: World) -> None:
    """I take the last solution off the deal: Partner Center keeps it, and I read that one is required."""
    deal = world.shared_deal()
    own = world.own_of(deal)

    world.seller.delete("cosell_microsoftsolutions", world.solutions(deal)[0]["cosell_microsoftsolutionid"])
    world.settle()

    assert solution_ids(world.own_of(deal)) == [SOLUTION_ID]
    assert world.pc_writes(own["id"]) == 0
    assert "SOLUTION_REQUIRED" in world.audit(deal)[0]
    assert is_marked(world, deal, "✖")


def test_AT_C13_another_account(world: World) -> None:
    """I choose another account and a new revenue: the revenue is sent, the customer stays, and I am told."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    other = f"/accounts({world.new_account()})"

    world.seller.update(
        "opportunities",
        deal,
        estimatedvalue=70000,
        **{"parentaccountid@odata.bind": other, "customerid_account@odata.bind": other},
    )
    world.settle()

    after = world.own_of(deal)
    assert after["customerProfile"] == own["customerProfile"]
    assert after["details"]["dealValue"] == 70000
    assert "CUSTOMER_READONLY" in world.audit(deal)[0]
    assert " OK " in world.audit(deal)[0]
    assert is_marked(world, deal, "✔")


def test_AT_C14_sync_switched_off_later(world: World) -> None:
    """I switch Sync off: nothing flows in either direction, and the deal remembers what it was linked to."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    world.seller.update("opportunities", deal, cosell_syncwithpartnercenter=False)
    world.settle()
    writes = world.writes(deal)

    world.seller.update("opportunities", deal, estimatedvalue=1)
    world.portal.edit(own["id"], {"details": {"notes": "Written in the portal."}})
    world.settle()

    row, after = world.opportunity(deal), world.own_of(deal)
    assert (row["estimatedvalue"], after["details"]["dealValue"]) == (1, 50000)
    assert row["description"] != "Written in the portal."
    assert row["cosell_referralidentifier"] == own["id"]
    assert world.pc_writes(own["id"]) == 0
    assert world.writes(deal) - writes <= 1  # at most one note that changes wait
    assert row["cosell_engagementidentifier"] == own["engagementId"]


def test_AT_C15_sync_switched_on_again(world: World) -> None:
    """I switch Sync on again after both sides changed: both changes arrive, with one write at most on either side."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    world.seller.update("opportunities", deal, cosell_syncwithpartnercenter=False)
    world.settle()
    world.seller.update("opportunities", deal, estimatedclosedate="2027-11-30")
    world.portal.edit(own["id"], {"details": {"dealValue": 77000}})
    world.settle()
    pc_writes, writes = world.pc_writes(own["id"]), world.writes(deal)
    echoes = set(_ECHO.findall(world.log()))

    world.seller.update("opportunities", deal, cosell_syncwithpartnercenter=True)
    world.settle()

    row, after = world.opportunity(deal), world.own_of(deal)
    assert (row["estimatedvalue"], after["details"]["dealValue"]) == (77000, 77000)
    assert row["estimatedclosedate"] == "2027-11-30"
    assert after["details"]["closingDateTime"].startswith("2027-11-30T00:00:00")
    assert world.pc_writes(own["id"]) - pc_writes <= 1
    assert is_marked(world, deal, "✔")
    # The deal's data are written once; beside them only what was sent the other way, before and after it was sent.
    assert len(set(_ECHO.findall(world.log())) - echoes) == 1
    assert world.writes(deal) - writes <= 3


def test_AT_C16_throttled(world: World) -> None:
    """Partner Center asks for patience: everybody waits as long as it says, then both changes arrive."""
    first, second = world.shared_deal(), world.shared_deal()
    own = world.own_of(first)["id"]
    patience_s = 4
    world.fault(
        "partner_center",
        kind="status",
        method="PATCH",
        path=f"{REFERRALS}/{own}",
        times=1,
        status=429,
        retry_after=patience_s,
    )
    with world.counting() as pc:
        world.seller.update("opportunities", first, estimatedvalue=61000)
        world.until(lambda: world.pc_writes(own) == 1, "the first attempt")
        over = time.monotonic() + patience_s
        world.seller.update("opportunities", second, estimatedvalue=62000)
        world.settle(scheduled=False)
        world.until(lambda: time.monotonic() > over, "the end of the patience asked for")
        world.settle_ladder()

    assert world.own_of(first)["details"]["dealValue"] == 61000
    assert world.own_of(second)["details"]["dealValue"] == 62000
    refused = next(one for one in pc.requests if one["status"] == 429)
    after = [one for one in pc.requests if one["n"] > refused["n"] and one["client"] == refused["client"]]
    waited = datetime.fromisoformat(after[0]["at"]) - datetime.fromisoformat(refused["at"])
    assert waited.total_seconds() >= patience_s - 0.5


def test_AT_C16_long_patience(world: World) -> None:
    """Partner Center asks for more patience than we would show by ourselves: we show it."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    world.fault(
        "partner_center",
        kind="status",
        method="PATCH",
        path=f"{REFERRALS}/{own}",
        times=1,
        status=429,
        retry_after=200,
    )
    try:
        world.seller.update("opportunities", deal, estimatedvalue=63000)
        world.settle(scheduled=False)
        waiting = world.messages("dynamics-365-to-partner-center")
        due = [datetime.fromisoformat(message["scheduled_at"]) - datetime.now(UTC) for message in waiting]
        assert [wait.total_seconds() > 190 for wait in due] == [True]
    finally:
        world.sandbox.restart("host")  # a fresh process has not been told to wait
    world.settle_ladder()

    assert world.own_of(deal)["details"]["dealValue"] == 63000


def test_AT_C17_other_party_was_quicker(world: World) -> None:
    """A colleague edits the notes in the portal at the moment my revenue is sent: both changes survive."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    world.fault("partner_center", kind="latency", method="PATCH", path=f"{REFERRALS}/{own}", times=1, delay_s=1.5)
    with world.counting() as pc:
        world.seller.update("opportunities", deal, estimatedvalue=66000)
        world.until(lambda: world.pc_writes(own) == 1, "the write on its way")
        world.portal.edit(own, {"details": {"notes": "Written in the portal."}})
        world.settle()

    patches = [one["status"] for one in pc.requests if one["method"] == "PATCH"]
    row, after = world.opportunity(deal), world.own_of(deal)
    assert patches in ([412, 200], [412, 204])
    assert (row["estimatedvalue"], after["details"]["dealValue"]) == (66000, 66000)
    assert (row["description"], after["details"]["notes"]) == ("Written in the portal.",) * 2
    assert is_marked(world, deal, "✔")
