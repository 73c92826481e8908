"""Created in the CRM: a seller's deal reaches Partner Center, or its seller reads what is missing (AT-B01 … B23)."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT, SOLUTION_ID, Refused
from tests.acceptance.profiles import OUR_WAY, both_profiles, profiles
from tests.acceptance.world import REFERRALS, World, Worlds, unique

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("acceptance-1")]

NOT_VISIBLE, VISIBLE = 100000000, 100000001
PRIVATE, PARTNER_LED, CO_SELL = 100000000, 100000001, 100000002
IN_SYNC, BLOCKED = 100000002, 100000004


def solution_ids(referral: dict[str, object]) -> list[str]:
    """The ids of a referral's solutions, sorted."""
    details = referral["details"]
    assert isinstance(details, dict)
    return sorted(one["id"] for one in details["requirements"]["solutions"])


def assert_blocked(world: World, deal: str, *codes: str) -> str:
    """Nothing was shared, and the newest audit line names every code; that line."""
    row, audit = world.opportunity(deal), world.audit(deal)
    assert world.owns_of(deal) == []
    assert row["cosell_referralidentifier"] is None
    assert row["name"].startswith("✖ ")
    assert row["cosell_syncstatus"] == BLOCKED
    assert len(audit) == 1
    assert " FAILED " in audit[0]
    assert all(code in audit[0] for code in codes)
    return audit[0]


def assert_shared(world: World, deal: str) -> None:
    """The deal is in Partner Center once, and its row says so."""
    row, own = world.opportunity(deal), world.own_of(deal)
    assert row["cosell_referralidentifier"] == own["id"]
    assert own["id"] in row["cosell_referrallink"]
    assert row["cosell_engagementidentifier"] == own["engagementId"]
    assert row["name"].startswith("✔ ")
    assert row["cosell_syncstatus"] == IN_SYNC
    assert " OK " in world.audit(deal)[0]


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


def test_AT_B14_products_text_of_older_deals(world: World) -> None:
    """My solutions stand in the obsolete Products text: they are sent all the same."""
    deal = world.new_deal(solutions=(), cosell_products="SOL-12345-ABC; sol-99999-XYZ")
    world.settle()

    assert_shared(world, deal)
    assert solution_ids(world.own_of(deal)) == ["SOL-12345-ABC", "SOL-99999-XYZ"]


def test_AT_B15_partner_center_refuses_the_solution(world: World) -> None:
    """Partner Center does not know my solution: I read its own words, and it was asked once."""
    deal = world.new_deal(solutions=("SOL-00000-NON",), cosell_syncwithpartnercenter=False)
    world.settle()
    world.fault("partner_center", kind="status", method="POST", path=REFERRALS, status=400)
    with world.counting() as pc:
        world.seller.update("opportunities", deal, cosell_syncwithpartnercenter=True)
        world.settle()

    row, audit = world.opportunity(deal), world.audit(deal)
    assert pc.count("POST", path=REFERRALS) == 1
    assert world.owns_of(deal) == []
    assert row["name"].startswith("✖ ")
    assert len(audit) == 1
    assert "A planted fault." in audit[0]


def test_AT_B16_process_dies_after_the_first_post(world: World) -> None:
    """The connector dies right after Partner Center took the deal: there is still one deal afterwards."""
    deal = world.new_deal(solutions=(), cosell_syncwithpartnercenter=False)
    world.seller.solution(deal)
    world.settle()
    row_path = f"/api/data/v9.2/opportunities({deal})"
    # The first write reserves the creation; the second would write the ids down, and never gets that far.
    world.fault("dataverse", kind="latency", method="PATCH", path=row_path, skip=1, delay_s=30)
    world.seller.update("opportunities", deal, cosell_syncwithpartnercenter=True)
    world.until(lambda: len(world.owns_of(deal)) == 1, "the first referral")
    world.sandbox.kill("host")
    world.clear_faults()
    assert world.opportunity(deal)["cosell_referralidentifier"] is None

    world.sandbox.restart("host")
    world.advance("broker", 120)  # the dead process's lock on the message ends
    world.settle(60)

    assert len(world.owns_of(deal)) == 1
    assert_shared(world, deal)


def test_AT_B16_answer_to_the_first_post_is_lost(world: World) -> None:
    """The connection drops after Partner Center took the deal: there is still one deal afterwards."""
    world.fault("partner_center", kind="lost_answer", method="POST", path=REFERRALS, times=1)
    deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
    world.settle_ladder()

    assert_shared(world, deal)
    assert len(world.microsofts_of(deal)) == 1


def test_AT_B17_only_the_failed_invitation_is_repeated(world: World) -> None:
    """Partner Center is unavailable when Microsoft is invited: only the invitation is repeated."""
    world.fault("partner_center", kind="status", method="POST", path=REFERRALS, skip=1, times=1, status=503)
    with world.counting() as pc:
        deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
        world.settle_ladder()

    posts = [one["status"] for one in pc.requests if one["method"] == "POST" and one["path"] == REFERRALS]
    assert posts == [200, 503, 200]
    assert_shared(world, deal)
    assert len(world.microsofts_of(deal)) == 1


@profiles
def test_AT_B18_marks_switched_off(worlds: Worlds, profile: str) -> None:
    """Our administrator wants no marks: names stay as they were typed, everything else is as usual."""
    world = worlds(profile, **OUR_WAY)
    good = world.new_deal(name="Plain name", account={"new_iso2": "NO"}, new_tcv=1000)
    bad = world.new_deal(name="Plain name too", account={"new_iso2": "N"}, new_tcv=1000)
    world.settle()

    row = world.opportunity(good)
    assert row["name"] == "Plain name"
    assert row["cosell_referralidentifier"] == world.own_of(good)["id"]
    assert " OK " in world.audit(good)[0]
    assert world.opportunity(bad)["name"] == "Plain name too"
    assert "COUNTRY_INVALID" in world.audit(bad)[0]


@profiles
def test_AT_B19_deal_value_from_another_column(worlds: Worlds, profile: str) -> None:
    """We keep the deal's value in a column of our own."""
    world = worlds(profile, **OUR_WAY)
    deal = world.new_deal(account={"new_iso2": "NO"}, new_tcv=1000, estimatedvalue=5)
    world.settle()

    assert world.own_of(deal)["details"]["dealValue"] == 1000


@profiles
def test_AT_B20_country_from_another_column(worlds: Worlds, profile: str) -> None:
    """Our accounts keep the country code in a column of our own; the address says it in words."""
    world = worlds(profile, **OUR_WAY)
    deal = world.new_deal(account={"new_iso2": "NO", "address1_country": "Norway"}, new_tcv=1000)
    world.settle()

    assert world.own_of(deal)["customerProfile"]["address"]["country"] == "NO"


def test_AT_B21_longest_name(world: World) -> None:
    """My deal's name uses every character there is: the mark still fits, and Partner Center never sees it."""
    name = "n" * 300
    deal = world.new_deal(name=name)
    world.settle()

    assert world.opportunity(deal)["name"] == "✔ " + name[:298]
    sent = world.own_of(deal)["name"]
    assert sent
    assert name.startswith(sent)


def test_AT_B22_saved_five_times(world: World) -> None:
    """I save five times in three seconds: there is one deal."""
    with world.counting() as pc:
        deal = world.new_deal()
        for number in range(5):
            world.seller.update("opportunities", deal, description=f"Draft {number}")
        world.settle()

    assert pc.count("POST", path=REFERRALS) == 1
    assert_shared(world, deal)
    assert world.own_of(deal)["details"]["notes"] == "Draft 4"


def test_AT_B23_cloned_deal(world: World) -> None:
    """I copy a shared deal: the copy is a deal of its own that is not shared, and the original is untouched."""
    deal = world.shared_deal(help_option=HELP_PROOF_OF_CONCEPT)
    before, own = world.opportunity(deal), world.own_of(deal)
    copied = {
        name: value
        for name, value in before.items()
        if value is not None
        and (name.startswith("cosell_") or name in ("description", "estimatedvalue", "estimatedclosedate"))
        and not name.startswith("_")
    }
    account, contact = before["_parentaccountid_value"], before["_parentcontactid_value"]
    with pytest.raises(Refused):
        world.seller.opportunity(account, contact, **{**copied, "name": before["name"]})
    copied["cosell_referralidentifier"] = None  # what a copying tool leaves out after the duplicate key was refused

    with world.counting() as pc:
        clone = world.seller.opportunity(account, contact, **{**copied, "name": before["name"]})
        world.seller.solution(clone)
        world.settle()

    row = world.opportunity(clone)
    assert pc.count("POST", "PATCH") == 0
    assert row["cosell_syncwithpartnercenter"] is False
    assert [row[name] for name in ("cosell_referralidentifier", "cosell_referrallink", "cosell_syncstate")] == [
        None
    ] * 3
    assert [row[f"cosell_{name}identifier"] for name in ("engagement", "microsoftreferral", "microsoftcrm")] == [
        None
    ] * 3
    assert world.opportunity(deal) == before
    assert world.own_of(deal) == own

    world.seller.update("opportunities", clone, cosell_syncwithpartnercenter=True)
    world.settle()
    assert_shared(world, clone)
    assert world.own_of(clone)["engagementId"] != own["engagementId"]
