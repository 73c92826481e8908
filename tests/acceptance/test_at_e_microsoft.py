"""Microsoft's side of a deal, and accepting or declining what Microsoft sends (AT-E01 … E08)."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.found import closings
from tests.acceptance.profiles import both_profiles
from tests.acceptance.world import Json, World

pytestmark = pytest.mark.sandbox

OPEN, LOST = 0, 2
IN_PROGRESS, ON_HOLD, CANCELED = 1, 2, 4
PENDING, IN_SYNC, CLOSED = 100000001, 100000002, 100000005
BUDGET = 100000001


def status(referral: Json) -> str:
    """`Active/Accepted`."""
    return f"{referral['status']}/{referral['substatus']}"


def co_sell_deal(world: World) -> tuple[str, str]:
    """A deal that waits for Microsoft's answer: opportunity and engagement."""
    deal = world.shared_deal(help_option=HELP_PROOF_OF_CONCEPT)
    return deal, world.own_of(deal)["engagementId"]


def invited_deal(world: World, **values: object) -> tuple[str, str]:
    """A deal that Microsoft sent and that waits for the seller: opportunity and referral."""
    own = world.inbound(**values)
    world.settle()
    return world.opportunity_of(own["id"])["opportunityid"], own["id"]


# -- Microsoft's answer ------------------------------------------------------------------------------------------------
@both_profiles
def test_AT_E01_microsoft_accepts(world: World) -> None:
    """Microsoft takes my deal up: I see their number for it, and the deal stays mine to win."""
    deal, engagement = co_sell_deal(world)
    assert world.opportunity(deal)["cosell_microsoftcrmidentifier"] is None
    lines, writes = len(world.audit(deal)), world.pc_writes(world.own_of(deal)["id"])
    world.portal.microsoft(engagement, "accept", msx_id="7-ABCDEF1234")
    world.settle()

    row = world.opportunity(deal)
    assert row["cosell_microsoftcrmidentifier"] == "7-ABCDEF1234"
    assert row["cosell_microsoftstatus"] == "Accepted"
    assert (row["statecode"], row["statuscode"]) == (OPEN, IN_PROGRESS)
    assert "Accepted" in world.audit(deal)[0]
    assert len(world.audit(deal)) == lines + 1
    assert world.pc_writes(world.own_of(deal)["id"]) == writes


@both_profiles
def test_AT_E02_microsoft_declines(world: World) -> None:
    """Microsoft does not help: I read why, and my deal goes on without them."""
    deal, engagement = co_sell_deal(world)
    world.portal.microsoft(engagement, "decline", reason="No seller in this area")
    world.settle()

    row = world.opportunity(deal)
    assert row["cosell_microsoftstatus"] == "Declined"
    assert (row["statecode"], row["statuscode"]) == (OPEN, IN_PROGRESS)
    assert "Declined" in world.audit(deal)[0]
    assert "No seller in this area" in world.audit(deal)[0]
    assert row["name"].startswith("✔ ")
    assert status(world.own_of(deal)) == "Active/Accepted"
    assert closings(world, deal) == []


def test_AT_E03_microsoft_does_not_answer(world: World) -> None:
    """Two weeks pass without an answer from Microsoft: I see that, and my deal goes on."""
    deal, engagement = co_sell_deal(world)
    world.portal.microsoft(engagement, "expire")
    world.settle()

    row = world.opportunity(deal)
    assert row["cosell_microsoftstatus"] == "No response"
    assert (row["statecode"], row["statuscode"]) == (OPEN, IN_PROGRESS)
    assert "No response" in world.audit(deal)[0]
    assert status(world.own_of(deal)) == "Active/Accepted"


# -- deals that Microsoft sends ----------------------------------------------------------------------------------------
@both_profiles
def test_AT_E04_deal_from_microsoft(world: World) -> None:
    """Microsoft sends me a deal: it waits for my answer, and I see until when."""
    deal, own = invited_deal(world)

    row, referral = world.opportunity(deal), world.referral(own)
    assert (row["statecode"], row["statuscode"]) == (OPEN, ON_HOLD)
    assert row["cosell_syncwithpartnercenter"] is True
    assert row["cosell_respondby"] == referral["expirationDateTime"]
    assert row["cosell_microsoftcrmidentifier"] == referral["trackingInfo"]["microsoftMsxId"]
    assert row["name"].startswith("✔ ")
    assert status(referral) == "New/Pending"
    assert referral["externalReferenceId"] == deal


@both_profiles
def test_AT_E05_edit_before_the_answer(world: World) -> None:
    """What I change before I have answered stays with me."""
    deal, own = invited_deal(world)
    writes = world.pc_writes(own)
    world.seller.update("opportunities", deal, estimatedvalue=91000, description="They want a pilot.")
    world.settle()

    assert world.pc_writes(own) == writes
    assert world.referral(own)["details"]["dealValue"] == 80000
    assert status(world.referral(own)) == "New/Pending"
    assert world.opportunity(deal)["estimatedvalue"] == 91000
    assert world.opportunity(deal)["cosell_syncstatus"] == PENDING


@both_profiles
def test_AT_E06_accepting_in_the_crm(world: World) -> None:
    """I set the deal to In Progress: that accepts it, together with what I had changed, in one go."""
    deal, own = invited_deal(world)
    world.seller.update("opportunities", deal, estimatedvalue=91000, description="They want a pilot.")
    world.settle()
    writes = world.pc_writes(own)
    world.seller.update("opportunities", deal, statuscode=IN_PROGRESS)
    world.settle()

    referral, row = world.referral(own), world.opportunity(deal)
    assert status(referral) == "Active/Accepted"
    assert referral["details"]["dealValue"] == 91000
    assert referral["details"]["notes"] == "They want a pilot."
    assert world.pc_writes(own) == writes + 1
    assert (row["statecode"], row["statuscode"]) == (OPEN, IN_PROGRESS)
    assert row["cosell_syncstatus"] == IN_SYNC
    assert row["name"].startswith("✔ ")
    assert "Active/Accepted" in world.audit(deal)[0]


@both_profiles
def test_AT_E07_declining_in_the_crm(world: World) -> None:
    """I close the deal as lost instead: it is declined at Partner Center, with my reason."""
    deal, own = invited_deal(world)
    writes = world.pc_writes(own)
    world.seller.update("opportunities", deal, cosell_closereason=BUDGET)
    world.seller.lose(deal)
    world.settle()

    referral, row = world.referral(own), world.opportunity(deal)
    assert status(referral) == "Closed/Declined"
    assert referral["statusReason"] == "Budget not sufficient"
    assert world.pc_writes(own) == writes + 1
    assert (row["statecode"], row["statuscode"]) == (LOST, CANCELED)
    assert row["cosell_syncstatus"] == CLOSED
    assert len(closings(world, deal)) == 1


@both_profiles
def test_AT_E08_answer_comes_too_late(world: World) -> None:
    """I never answered: Partner Center lets the deal expire, and my CRM closes it and tells me."""
    deal, own = invited_deal(world)
    writes = world.pc_writes(own)
    expired = {"status": "Closed", "substatus": "Expired"}
    world.sim("partner_center", "POST", f"/_sim/referrals/{own}/service", json=expired)
    world.settle()

    row = world.opportunity(deal)
    assert (row["statecode"], row["statuscode"]) == (LOST, CANCELED)
    assert [one["subject"] for one in closings(world, deal)] == ["Expired in Partner Center"]
    assert "Expired" in world.audit(deal)[0]
    assert row["cosell_syncstatus"] == CLOSED
    assert world.pc_writes(own) == writes
