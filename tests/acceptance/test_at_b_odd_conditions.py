"""Created in the CRM under odd conditions: old texts, refusals, crashes, other settings, copies (AT-B14 … B23)."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT, Refused
from tests.acceptance.deal_checks import assert_shared, solution_ids
from tests.acceptance.profiles import both_profiles, our_way
from tests.acceptance.world import REFERRALS, World

pytestmark = pytest.mark.sandbox


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


@our_way
@both_profiles
def test_AT_B18_marks_switched_off(world: World) -> None:
    """Our administrator wants no marks: names stay as they were typed, everything else is as usual."""
    good = world.new_deal(name="Plain name", account={"new_iso2": "NO"}, new_tcv=1000)
    bad = world.new_deal(name="Plain name too", account={"new_iso2": "N"}, new_tcv=1000)
    world.settle()

    row = world.opportunity(good)
    assert row["name"] == "Plain name"
    assert row["cosell_referralidentifier"] == world.own_of(good)["id"]
    assert " OK " in world.audit(good)[0]
    assert world.opportunity(bad)["name"] == "Plain name too"
    assert "COUNTRY_INVALID" in world.audit(bad)[0]


@our_way
@both_profiles
def test_AT_B19_deal_value_from_another_column(world: World) -> None:
    """We keep the deal's value in a column of our own."""
    deal = world.new_deal(account={"new_iso2": "NO"}, new_tcv=1000, estimatedvalue=5)
    world.settle()

    assert world.own_of(deal)["details"]["dealValue"] == 1000


@our_way
@both_profiles
def test_AT_B20_country_from_another_column(world: World) -> None:
    """Our accounts keep the country code in a column of our own; the address says it in words."""
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
