"""How deals end, on either side, and what cannot be undone (AT-E09 … E15)."""

from __future__ import annotations

import pytest

from tests.acceptance.found import closings
from tests.acceptance.profiles import another_way, both_profiles
from tests.acceptance.world import Json, World, unique

pytestmark = pytest.mark.sandbox

OPEN, WON, LOST = 0, 1, 2
IN_PROGRESS, CANCELED, OUT_SOLD = 1, 4, 5
PENDING, IN_SYNC, FAILED, CLOSED = 100000001, 100000002, 100000003, 100000005


def status(referral: Json) -> str:
    """`Active/Accepted`."""
    return f"{referral['status']}/{referral['substatus']}"


# -- endings -----------------------------------------------------------------------------------------------------------
@both_profiles
def test_AT_E09_won(world: World) -> None:
    """I win the deal: a little later Partner Center knows, and what I change afterwards stays with me."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    writes = world.pc_writes(own)
    world.seller.win(deal)
    assert status(world.referral(own)) == "Active/Accepted"
    world.settle()

    assert status(world.referral(own)) == "Closed/Won"
    assert world.pc_writes(own) == writes + 1
    assert world.opportunity(deal)["cosell_syncstatus"] == CLOSED
    assert world.opportunity(deal)["name"].startswith("✔ ")
    assert len(closings(world, deal)) == 1

    lines = len(world.audit(deal))
    world.seller.update("opportunities", deal, description="They ordered more.")
    world.settle()
    assert "DEAL_TERMINAL" in world.audit(deal)[0]
    assert len(world.audit(deal)) == lines + 1
    assert world.opportunity(deal)["name"].startswith("✖ ")
    assert world.referral(own)["details"]["notes"] != "They ordered more."
    assert world.pc_writes(own) == writes + 1
    assert world.opportunity(deal)["statecode"] == WON


@another_way
def test_AT_E10_won_by_mistake(world: World) -> None:
    """I won it by mistake and reopened it at once: Partner Center never hears of it."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    writes = world.pc_writes(own)
    world.seller.win(deal)
    world.until(lambda: world.opportunity(deal)["cosell_syncstatus"] == PENDING, "the win waits for its time")
    world.seller.update("opportunities", deal, statecode=OPEN, statuscode=IN_PROGRESS)
    world.settle()

    assert status(world.referral(own)) == "Active/Accepted"
    assert world.pc_writes(own) == writes
    row = world.opportunity(deal)
    assert row["statecode"] == OPEN
    assert row["name"].startswith("✔ ")
    assert row["cosell_syncstatus"] == IN_SYNC

    world.seller.win(deal)
    world.until(lambda: world.opportunity(deal)["cosell_syncstatus"] == PENDING, "the second win waits a full period")
    assert status(world.referral(own)) == "Active/Accepted"
    world.settle()
    assert status(world.referral(own)) == "Closed/Won"


@both_profiles
def test_AT_E11_lost_to_another_vendor(world: World) -> None:
    """I lose the deal to a competitor: Partner Center learns that, too."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    writes = world.pc_writes(own)
    world.seller.lose(deal, OUT_SOLD)
    world.settle()

    assert status(world.referral(own)) == "Closed/Lost"
    assert "another vendor" in world.referral(own)["statusReason"]
    assert world.pc_writes(own) == writes + 1
    assert world.opportunity(deal)["cosell_syncstatus"] == CLOSED


ENDINGS: dict[str, tuple[str, str | None, int, int]] = {
    "won": ("Won", None, WON, 3),
    "lost": ("Lost", "Too expensive", LOST, CANCELED),
    "out-sold": ("Lost", "Customer chose another vendor", LOST, OUT_SOLD),
    "declined": ("Declined", "Not a customer", LOST, CANCELED),
    "error": ("Error", "Duplicate", LOST, CANCELED),
}
"""Substatus and reason in Partner Center; state and status reason of the opportunity."""


@both_profiles
@pytest.mark.parametrize("ending", ENDINGS)
def test_AT_E12_ended_in_partner_center(world: World, ending: str) -> None:
    """The deal ends in Partner Center: my opportunity is closed the same way, once."""
    substatus, reason, statecode, statuscode = ENDINGS[ending]
    facts = {"status": "Closed", "substatus": substatus, "statusReason": reason}
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    writes, lines = world.pc_writes(own), len(world.audit(deal))
    if ending == "error":
        world.sim("partner_center", "POST", f"/_sim/referrals/{own}/service", json=facts)
    else:
        world.portal.edit(own, facts)
    world.settle()

    row, activities = world.opportunity(deal), closings(world, deal)
    assert (row["statecode"], row["statuscode"]) == (statecode, statuscode)
    assert row["name"].startswith("✖ " if ending == "error" else "✔ ")
    assert len(activities) == 1
    assert activities[0]["description"] == reason
    assert activities[0]["actualrevenue"] == (50000 if ending == "won" else 0)
    assert len(world.audit(deal)) == lines + 1
    assert world.pc_writes(own) == writes
    assert ("PC_ERROR_STATE" in world.audit(deal)[0]) == (ending == "error")

    # Told again, nothing happens again.
    world.sim("broker", "DELETE", "/queues/partner-center-events")
    events = [
        one["n"] for one in world.sim("partner_center", "GET", "/_sim/events").json() if one["resource_id"] == own
    ]
    world.sim("partner_center", "POST", "/_sim/redeliver", json={"events": events})
    world.settle()
    assert len(closings(world, deal)) == 1
    assert len(world.audit(deal)) == lines + 1


def test_AT_E13_reopened_although_closed_there(world: World) -> None:
    """Partner Center closed the deal and I reopen mine: it stays open here, marked as closed there."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    world.portal.edit(own, {"status": "Closed", "substatus": "Lost", "statusReason": "Too expensive"})
    world.settle()
    assert world.opportunity(deal)["statecode"] == LOST
    writes = world.pc_writes(own)

    world.seller.update("opportunities", deal, statecode=OPEN, statuscode=IN_PROGRESS)
    world.settle()
    row = world.opportunity(deal)
    assert row["statecode"] == OPEN
    assert row["cosell_syncstatus"] == CLOSED
    assert row["name"].startswith("✖ ")
    assert "DEAL_TERMINAL" in world.audit(deal)[0]

    world.seller.update("opportunities", deal, description="Talking again.")
    world.settle()
    world.run_timer("sweep")
    world.settle()
    row = world.opportunity(deal)
    assert row["statecode"] == OPEN
    assert row["description"] == "Talking again."
    assert row["cosell_syncstatus"] == CLOSED
    assert len(closings(world, deal)) == 1
    assert world.pc_writes(own) == writes


def test_AT_E14_won_very_early(world: World) -> None:
    """I win a deal on its first day: it is sent, and I am warned that incentives ask for three days."""
    deal = world.shared_deal()
    world.seller.win(deal)
    world.settle()

    assert status(world.own_of(deal)) == "Closed/Won"
    assert "WON_BEFORE_72H" in world.audit(deal)[0]
    assert " OK " in world.audit(deal)[0]
    assert world.opportunity(deal)["name"].startswith("✔ ")


def test_AT_E15_currency_fixed_by_the_price_list(world: World) -> None:
    """My price list fixes the currency: the deal's new one cannot come, the other changes do, and I am told."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    prices = world.seller.create("pricelevels", {"name": unique("US list prices")})
    world.seller.update("opportunities", deal, **{"pricelevelid@odata.bind": f"/pricelevels({prices})"})
    world.settle()
    writes = world.pc_writes(own)

    details = {
        "currency": "EUR",
        "dealValue": 45000,
        "notes": "Paid in euro.",
        "closingDateTime": "2027-10-01T00:00:00Z",
    }
    world.portal.edit(own, {"details": details})
    world.settle()
    row = world.opportunity(deal)
    assert row["_transactioncurrencyid_value"] == world.seller.currency_id("USD")
    assert row["estimatedvalue"] == 50000
    assert row["description"] == "Paid in euro."
    assert row["estimatedclosedate"] == "2027-10-01"
    assert "CURRENCY_LOCKED" in world.audit(deal)[0]
    assert row["name"].startswith("✖ ")
    assert row["cosell_syncstatus"] == FAILED

    lines = len(world.audit(deal))
    world.portal.edit(own, {"details": {"notes": "Paid in euro, half of it in advance."}})
    world.settle()
    row = world.opportunity(deal)
    assert row["description"] == "Paid in euro, half of it in advance."
    assert row["name"].startswith("✖ ")
    assert len(world.audit(deal)) == lines + 1
    assert world.pc_writes(own) == writes
    assert world.referral(own)["details"]["currency"] == "EUR"
    assert world.parked() == []
