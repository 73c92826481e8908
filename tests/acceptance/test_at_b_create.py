"""Created in the CRM: a seller's deal reaches Partner Center, or its seller reads what is missing (AT-B01 … B13)."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT, SOLUTION_ID
from tests.acceptance.deal_checks import (
    CO_SELL,
    NOT_VISIBLE,
    PARTNER_LED,
    PRIVATE,
    VISIBLE,
    assert_blocked,
    assert_shared,
)
from tests.acceptance.profiles import both_profiles
from tests.acceptance.world import REFERRALS, World, unique

pytestmark = pytest.mark.sandbox


@both_profiles
def test_AT_B01_complete_co_sell_deal(world: World) -> None:
    """I save a complete deal and ask Microsoft for help: Microsoft is invited and I see that it worked."""
    with world.counting() as pc:
        deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
        world.settle()

    own, invited = world.own_of(deal), world.microsofts_of(deal)
    assert_shared(world, deal)
    assert len(world.audit(deal)) == 1, "the moment without a solution was no failure"
    assert pc.count("POST", path=REFERRALS) == 2
    assert [(one["type"], one["id"]) for one in own["target"]] == [("SolutionProfile", SOLUTION_ID)]
    assert [one["target"] for one in invited] == [[{"type": "BusinessProfileLocation", "id": "msft"}]]
    assert invited[0]["inviteContext"]["assistanceRequestCode"] == "ProofOfConceptOrDemo"
    assert "✔" not in own["name"] + invited[0]["name"]
    assert (own["details"]["dealValue"], own["details"]["currency"]) == (50000, "USD")
    assert own["details"]["closingDateTime"].startswith("2027-06-30T00:00:00")
    assert own["customerProfile"]["address"]["country"] == "US"
    assert own["customerProfile"]["team"][0]["email"] == "ada.lind@contoso.example"


@both_profiles
def test_AT_B02_sync_switched_off(world: World) -> None:
    """I leave Sync on No: my deal stays mine."""
    with world.counting() as pc:
        deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT, cosell_syncwithpartnercenter=False, name="Mine alone")
        world.settle()

    row = world.opportunity(deal)
    assert pc.count("POST", "PATCH", "PUT") == 0
    assert world.owns_of(deal) == []
    assert world.writes(deal) == 0
    assert (row["name"], row["cosell_audit"], row["cosell_referralidentifier"]) == ("Mine alone", None, None)


@both_profiles
def test_AT_B03_private_deal(world: World) -> None:
    """I ask for no help and show the deal to nobody: it is private in Partner Center."""
    with world.counting() as pc:
        deal = world.new_deal(cosell_referralvisibility=NOT_VISIBLE)
        world.settle()

    assert_shared(world, deal)
    assert pc.count("POST", path=REFERRALS) == 1
    assert world.own_of(deal)["consent"]["consentToShareReferralWithMicrosoftSellers"] is False
    assert world.microsofts_of(deal) == []
    assert world.opportunity(deal)["cosell_dealtype"] == PRIVATE


@both_profiles
def test_AT_B04_partner_led_deal(world: World) -> None:
    """I let Microsoft's sellers see the deal without asking for help."""
    with world.counting() as pc:
        deal = world.new_deal(cosell_referralvisibility=VISIBLE)
        world.settle()

    assert_shared(world, deal)
    assert pc.count("POST", path=REFERRALS) == 1
    assert world.own_of(deal)["consent"]["consentToShareReferralWithMicrosoftSellers"] is True
    assert world.microsofts_of(deal) == []
    assert world.opportunity(deal)["cosell_dealtype"] == PARTNER_LED


@both_profiles
def test_AT_B05_help_makes_a_deal_visible(world: World) -> None:
    """I ask for help but forgot to make the deal visible: that is done for me."""
    deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT, cosell_referralvisibility=NOT_VISIBLE)
    world.settle()

    row = world.opportunity(deal)
    assert_shared(world, deal)
    assert (row["cosell_referralvisibility"], row["cosell_dealtype"]) == (VISIBLE, CO_SELL)
    assert world.own_of(deal)["consent"]["consentToShareReferralWithMicrosoftSellers"] is True
    assert len(world.microsofts_of(deal)) == 1


@both_profiles
def test_AT_B06_no_solution(world: World) -> None:
    """I forget the solution: after a while I read that one is required."""
    with world.counting() as pc:
        deal = world.new_deal(solutions=())
        world.settle()

    assert_blocked(world, deal, "SOLUTION_REQUIRED")
    assert pc.count("POST", path=REFERRALS) == 0


@both_profiles
def test_AT_B07_solution_added_later(world: World) -> None:
    """I add the missing solution: the deal is shared at once, and only once."""
    deal = world.new_deal(solutions=(), help_option=HELP_PROOF_OF_CONCEPT)
    world.settle()
    assert world.opportunity(deal)["name"].startswith("✖ ")

    with world.counting() as pc:
        world.seller.solution(deal)
        world.settle()

    assert_shared(world, deal)
    assert pc.count("POST", path=REFERRALS) == 2
    assert len(world.microsofts_of(deal)) == 1


@both_profiles
def test_AT_B08_country_is_no_code(world: World) -> None:
    """The account's country is spelt out: I read which account to correct, and nothing is sent."""
    customer = unique("Kontor")
    with world.counting() as pc:
        deal = world.new_deal(account={"name": customer, "address1_country": "Germany"})
        world.settle()

    line = assert_blocked(world, deal, "COUNTRY_INVALID")
    assert customer in line
    assert pc.count("POST", path=REFERRALS) == 0


def test_AT_B09_corrected_country_is_enough(world: World) -> None:
    """I correct the account and need not touch the deal again."""
    account = world.new_account(address1_country="Germany")
    deal = world.new_deal(account=account)
    world.settle()
    assert_blocked(world, deal, "COUNTRY_INVALID")

    world.seller.update("accounts", account, address1_country="DE")
    world.settle()

    assert_shared(world, deal)
    assert world.own_of(deal)["customerProfile"]["address"]["country"] == "DE"


@both_profiles
def test_AT_B10_help_without_contact(world: World) -> None:
    """I ask for help without naming a contact at the customer."""
    deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT, with_contact=False)
    world.settle()

    assert_blocked(world, deal, "CONTACT_REQUIRED")


def test_AT_B11_contact_without_phone(world: World) -> None:
    """My contact has no phone number: I read that it is the phone that is missing."""
    deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT, contact={"telephone1": None})
    world.settle()

    assert "phone" in assert_blocked(world, deal, "CONTACT_INCOMPLETE")


def test_AT_B12_no_account(world: World) -> None:
    """I have not chosen a customer yet: I am told so, and nothing breaks behind the scenes."""
    parked = len(world.parked())
    deal = world.seller.opportunity(None, None, name=unique("Nobody's deal"))
    world.seller.solution(deal)
    world.settle()

    assert_blocked(world, deal, "CUSTOMER_REQUIRED")
    assert len(world.parked()) == parked
    assert world.dead_letters() == []


@both_profiles
def test_AT_B13_everything_missing_is_said_at_once(world: World) -> None:
    """Neither revenue nor close date: I read both in one line, not one after the other."""
    deal = world.new_deal(estimatedvalue=None, estimatedclosedate=None)
    world.settle()

    assert_blocked(world, deal, "CLOSE_DATE_REQUIRED", "DEAL_VALUE_REQUIRED")
