"""Echoes, edits on both sides at once, deletes and merges (AT-F01 … F09)."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.found import (
    CRM_FLOWS,
    accounts_named,
    closings,
    opportunities_carrying,
    opportunities_named,
    runs,
)
from tests.acceptance.profiles import another_way, both_profiles
from tests.acceptance.world import World, unique

pytestmark = pytest.mark.sandbox

LOST = 2
IN_PROGRESS = 1
IN_SYNC = 100000002


def both_silent(world: World) -> None:
    """Both systems keep their events to themselves, so that edits on both sides meet."""
    world.partner_center_delivery(mode="stopped")
    world.dataverse_events(mode="stopped")


def both_speak(world: World) -> None:
    world.partner_center_delivery(mode="normal")
    world.dataverse_events(mode="normal")
    world.settle()


# -- echoes ------------------------------------------------------------------------------------------------------------
@both_profiles
def test_AT_F01_one_edit_in_the_crm(world: World) -> None:
    """I change one thing: Partner Center is told once, my row gets one audit line, and then it is quiet.

    Two writes to the row, both before Partner Center's event comes back: what is on its way, then base, audit and mark.
    """
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    there, here, lines = world.pc_writes(own), world.writes(deal), len(world.audit(deal))
    world.seller.update("opportunities", deal, estimatedvalue=65000)
    world.settle()

    assert world.referral(own)["details"]["dealValue"] == 65000
    assert world.pc_writes(own) == there + 1
    assert world.writes(deal) == here + 2
    assert len(world.audit(deal)) == lines + 1


@both_profiles
def test_AT_F02_one_edit_in_partner_center(world: World) -> None:
    """My colleague changes one thing in Partner Center: my row is written once and nothing goes back."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    there, here, lines = world.pc_writes(own), world.writes(deal), len(world.audit(deal))
    world.portal.edit(own, {"details": {"dealValue": 65000}})
    world.settle()

    assert world.opportunity(deal)["estimatedvalue"] == 65000
    assert world.writes(deal) == here + 1
    assert world.pc_writes(own) == there
    assert len(world.audit(deal)) == lines + 1


def test_AT_F03_half_a_cent(world: World) -> None:
    """Partner Center counts thousandths, my CRM cents: the value is rounded here and never sent back rounded."""
    own = world.created_in_portal(details={"dealValue": 10.005})
    world.settle()
    row = world.opportunity_of(own["id"])
    deal, writes = row["opportunityid"], world.pc_writes(own["id"])
    assert row["estimatedvalue"] == 10.01

    world.seller.update("opportunities", deal, description="Small, but a start.")
    world.settle()
    world.portal.edit(own["id"], {"details": {"closingDateTime": "2027-12-01T00:00:00Z"}})
    world.settle()
    assert world.opportunity(deal)["estimatedvalue"] == 10.01
    assert world.opportunity(deal)["estimatedclosedate"] == "2027-12-01"
    assert world.referral(own["id"])["details"]["dealValue"] == 10.005
    assert world.pc_writes(own["id"]) == writes + 1


def test_AT_F04_the_mark_is_no_change(world: World) -> None:
    """The mark before a deal's name comes and goes without setting anything in motion."""
    own = world.created_in_portal(details={"currency": "CHF"})
    world.settle()
    deal = world.opportunity_of(own["id"])["opportunityid"]
    assert world.opportunity(deal)["name"].startswith("✖ ")

    events, started = world.log().count("our own change"), runs(world, *CRM_FLOWS)
    world.portal.edit(own["id"], {"details": {"currency": "USD"}})
    world.settle()
    assert world.opportunity(deal)["name"] == f"✔ {own['name']}"
    assert world.opportunity(deal)["estimatedvalue"] == 80000
    assert world.log().count("our own change") > events
    assert runs(world, *CRM_FLOWS) == started
    assert world.pc_writes(own["id"]) == 1
    assert world.referral(own["id"])["name"] == own["name"]


# -- both sides at once ------------------------------------------------------------------------------------------------
def test_AT_F05_different_fields_at_once(world: World) -> None:
    """I change the value while my colleague changes the notes in Partner Center: both changes live."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    both_silent(world)
    world.seller.update("opportunities", deal, estimatedvalue=72000)
    world.portal.edit(own, {"details": {"notes": "They visited us."}})
    both_speak(world)

    row, details = world.opportunity(deal), world.referral(own)["details"]
    assert (row["estimatedvalue"], row["description"]) == (72000, "They visited us.")
    assert (details["dealValue"], details["notes"]) == (72000, "They visited us.")
    assert row["name"].startswith("✔ ")


@pytest.mark.parametrize("last", ["crm", "partner-center"])
def test_AT_F06_same_field_at_once(world: World, last: str) -> None:
    """We both change the value: the later one stays on both sides, and I can read what it replaced."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    both_silent(world)
    edits = [
        lambda: world.portal.edit(own, {"details": {"dealValue": 61000}}),
        lambda: world.seller.update("opportunities", deal, estimatedvalue=72000),
    ]
    first, second = edits if last == "crm" else reversed(edits)
    first()
    time.sleep(1.1)  # Dataverse stamps whole seconds, and a tie is Partner Center's
    second()
    both_speak(world)

    stays, replaced = ("72000", "61000") if last == "crm" else ("61000", "72000")
    assert world.opportunity(deal)["estimatedvalue"] == int(stays)
    assert world.referral(own)["details"]["dealValue"] == int(stays)
    told = [line for line in world.audit(deal) if "CONFLICT" in line]
    assert len(told) == 1
    assert stays in told[0]
    assert replaced in told[0]


@another_way
def test_AT_F06_conflicts_left_to_people(world: World) -> None:
    """We want to decide ourselves: both values stay until somebody makes them equal, and the row says so."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    both_silent(world)
    world.seller.update("opportunities", deal, estimatedvalue=72000)
    world.portal.edit(own, {"details": {"dealValue": 61000}})
    both_speak(world)

    row = world.opportunity(deal)
    assert row["estimatedvalue"] == 72000
    assert world.referral(own)["details"]["dealValue"] == 61000
    assert row["name"].startswith("✖ ")
    assert "72000" in world.audit(deal)[0]
    assert "61000" in world.audit(deal)[0]

    world.seller.update("opportunities", deal, estimatedvalue=61000)
    world.settle()
    assert world.opportunity(deal)["name"].startswith("✔ ")
    assert world.opportunity(deal)["cosell_syncstatus"] == IN_SYNC


def test_AT_F07_accepted_here_declined_there(world: World) -> None:
    """I accept the deal while my colleague declines it in Partner Center: declined it is, and I read why."""
    own = world.inbound()
    world.settle()
    deal = world.opportunity_of(own["id"])["opportunityid"]
    both_silent(world)
    world.portal.decline(own["id"], "Not a customer")
    world.seller.update("opportunities", deal, statuscode=IN_PROGRESS)
    both_speak(world)

    assert world.opportunity(deal)["statecode"] == LOST
    assert world.referral(own["id"])["substatus"] == "Declined"
    assert any("CONFLICT_TERMINAL" in line for line in world.audit(deal))
    assert len(closings(world, deal)) == 1


# -- deletes and merges ------------------------------------------------------------------------------------------------
def test_AT_F08_deleted_in_the_crm(world: World) -> None:
    """I deleted my opportunity: what happens in Partner Center later does not bring it back."""
    deal = world.shared_deal(name=unique("Deleted by me"))
    own = world.own_of(deal)["id"]
    writes = world.pc_writes(own)
    world.seller.delete("opportunities", deal)
    world.settle()
    world.portal.edit(own, {"details": {"dealValue": 65000}})
    world.settle()
    world.run_timer("sweep")
    world.settle()

    assert opportunities_carrying(world, own) == []
    assert opportunities_named(world, "Deleted by me") == []
    assert world.pc_writes(own) == writes
    assert world.referral(own)["status"] == "Active"
    assert world.referral(own)["externalReferenceId"] == deal


def test_AT_F09_accounts_merged(world: World) -> None:
    """Two accounts of one customer are merged: the deals go on with the one that is left."""
    first = world.inbound()
    world.settle()
    deal = world.opportunity_of(first["id"])["opportunityid"]
    merged, survivor = (
        world.opportunity(deal)["_parentaccountid_value"],
        world.new_account(name=unique("Fabrikam Group")),
    )
    accounts = {"table": "account", "keeper": survivor, "subordinate": merged}
    world.sim("dataverse", "POST", "/_sim/merge", json=accounts)
    world.portal.edit(first["id"], {"details": {"notes": "Continues."}})
    second = world.inbound(customerProfile=first["customerProfile"])
    world.settle()

    row = world.opportunity(deal)
    assert row["description"] == "Continues."
    assert row["_parentaccountid_value"] == survivor
    assert world.opportunity_of(second["id"])["_parentaccountid_value"] == survivor
    assert len(accounts_named(world, first["customerProfile"]["name"])) == 1
