"""Updated in the CRM: what may travel travels once, what may not is said (AT-C01 … C09)."""

from __future__ import annotations

from datetime import datetime

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.deal_checks import CO_SELL, IN_SYNC, NOT_VISIBLE, VISIBLE, is_marked
from tests.acceptance.profiles import both_profiles, our_way
from tests.acceptance.world import World

pytestmark = pytest.mark.sandbox


@both_profiles
def test_AT_C01_new_revenue(world: World) -> None:
    """I raise the revenue: Partner Center shows it after one write, and I can read from what to what."""
    deal = world.shared_deal()
    own = world.own_of(deal)

    world.seller.update("opportunities", deal, estimatedvalue=65000)
    world.settle()

    after = world.own_of(deal)
    assert (after["details"]["dealValue"], after["details"]["currency"]) == (65000, "USD")
    assert world.pc_writes(own["id"]) == 1
    assert len(world.audit(deal)) == 2
    assert " OK " in world.audit(deal)[0]
    assert "50000.00>65000.00" in world.audit(deal)[0]
    assert is_marked(world, deal, "✔")


@both_profiles
def test_AT_C02_new_close_date(world: World) -> None:
    """I move the close date: Partner Center holds that day, at midnight UTC."""
    deal = world.shared_deal()

    world.seller.update("opportunities", deal, estimatedclosedate="2027-08-01")
    world.settle()

    own = world.own_of(deal)
    assert datetime.fromisoformat(own["details"]["closingDateTime"]) == datetime.fromisoformat("2027-08-01T00:00:00Z")
    assert world.pc_writes(own["id"]) == 1


@both_profiles
def test_AT_C03_new_description(world: World) -> None:
    """I rewrite the description: it becomes the deal's notes."""
    deal = world.shared_deal()

    world.seller.update("opportunities", deal, description="Three warehouses now.\nÆrø comes later.")
    world.settle()

    own = world.own_of(deal)
    assert own["details"]["notes"] == "Three warehouses now.\nÆrø comes later."
    assert world.pc_writes(own["id"]) == 1
    assert "Ærø" not in world.opportunity(deal)["cosell_audit"]


@both_profiles
def test_AT_C04_column_that_is_not_shared(world: World) -> None:
    """I note something that is nobody else's business: nothing happens."""
    deal = world.shared_deal()
    own, before, writes = world.own_of(deal), world.audit(deal), world.writes(deal)

    world.seller.update("opportunities", deal, currentsituation="They look at a competitor too.")
    world.settle()

    assert world.pc_writes(own["id"]) == 0
    assert world.writes(deal) == writes
    assert world.audit(deal) == before
    assert is_marked(world, deal, "✔")


@both_profiles
def test_AT_C05_new_name(world: World) -> None:
    """I rename the deal: Partner Center cannot take that, and I am told once without alarm."""
    deal = world.shared_deal()
    own = world.own_of(deal)

    world.seller.update("opportunities", deal, name="✔ A better name")
    world.settle()
    world.seller.update("opportunities", deal, currentsituation="Nothing that matters.")
    world.settle()

    assert world.own_of(deal)["name"] == own["name"]
    assert world.pc_writes(own["id"]) == 0
    assert [line.count("NAME_NOT_UPDATABLE") for line in world.audit(deal)] == [1, 0]
    assert world.opportunity(deal)["name"] == "✔ A better name"
    assert world.opportunity(deal)["cosell_syncstatus"] == IN_SYNC


@our_way
@both_profiles
def test_AT_C05_new_name_where_it_may_be_sent(world: World) -> None:
    """Our administrator found that Partner Center takes new names: mine is sent, without a note."""
    deal = world.shared_deal(account={"new_iso2": "NO"}, new_tcv=1000)

    world.seller.update("opportunities", deal, name="A better name")
    world.settle()

    assert world.own_of(deal)["name"] == "A better name"
    assert world.opportunity(deal)["name"] == "A better name"
    assert "NAME_NOT_UPDATABLE" not in world.opportunity(deal)["cosell_audit"]


@both_profiles
def test_AT_C06_revenue_falls_to_nothing(world: World) -> None:
    """A calculation of ours turns the revenue to 0: Partner Center keeps what it had, and I am told."""
    deal = world.shared_deal()
    own = world.own_of(deal)

    world.seller.update("opportunities", deal, estimatedvalue=0)
    world.settle()

    assert world.own_of(deal)["details"]["dealValue"] == 50000
    assert world.pc_writes(own["id"]) == 0
    assert "DEAL_VALUE_EMPTY" in world.audit(deal)[0]


@both_profiles
def test_AT_C07_private_deal_becomes_co_sell(world: World) -> None:
    """I ask for help on a deal that was private: Microsoft joins the same deal."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    assert world.microsofts_of(deal) == []

    world.seller.update("opportunities", deal, cosell_howcanmicrosofthelp=HELP_PROOF_OF_CONCEPT)
    world.settle()

    row, invited = world.opportunity(deal), world.microsofts_of(deal)
    assert [one["engagementId"] for one in invited] == [own["engagementId"]]
    assert invited[0]["inviteContext"]["assistanceRequestCode"] == "ProofOfConceptOrDemo"
    assert row["cosell_referralidentifier"] == own["id"]
    assert world.own_of(deal)["id"] == own["id"]
    assert row["cosell_dealtype"] == CO_SELL
    assert row["cosell_referralvisibility"] == VISIBLE
    assert is_marked(world, deal, "✔")


@both_profiles
def test_AT_C08_private_deal_becomes_visible(world: World) -> None:
    """I let Microsoft's sellers see a deal that was private."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    assert own["consent"]["consentToShareReferralWithMicrosoftSellers"] is False

    world.seller.update("opportunities", deal, cosell_referralvisibility=VISIBLE)
    world.settle()

    assert world.own_of(deal)["consent"]["consentToShareReferralWithMicrosoftSellers"] is True
    assert world.pc_writes(own["id"]) == 1
    assert world.microsofts_of(deal) == []


@both_profiles
def test_AT_C09_visible_deal_cannot_be_hidden(world: World) -> None:
    """I try to hide a deal that Microsoft has seen: the column goes back, and I read why."""
    deal = world.shared_deal(cosell_referralvisibility=VISIBLE)
    own = world.own_of(deal)

    world.seller.update("opportunities", deal, cosell_referralvisibility=NOT_VISIBLE)
    world.settle()

    assert world.opportunity(deal)["cosell_referralvisibility"] == VISIBLE
    assert world.own_of(deal)["consent"]["consentToShareReferralWithMicrosoftSellers"] is True
    assert world.pc_writes(own["id"]) == 0
    assert [line.count("VISIBILITY_IRREVERSIBLE") for line in world.audit(deal)] == [1, 0]
