"""Echoes, edits on both sides at once, outages and the operator's day (AT-F01 … F18)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from sandbox.clients import HELP_PROOF_OF_CONCEPT, connection
from tests.acceptance.command_line import admin
from tests.acceptance.profiles import both_profiles
from tests.acceptance.world import REFERRALS, Json, World, Worlds, unique

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("acceptance-2")]

OPEN, LOST = 0, 2
IN_PROGRESS, ON_HOLD = 1, 2
IN_SYNC, FAILED = 100000002, 100000003
PARTNER_TO_PARTNER = 100000003
CRM_FLOWS = ("dynamics_365_to_partner_center", "create_cosell_referral_dynamics_365_to_partner_center")
OVERLAY = """version = 1
opportunity = [ { field = "contract", referral = "contractKind", column = "new_contractkind", default = "Resale" } ]
"""


def runs(world: World, *functions: str) -> int:
    """How often these functions have run since the host started."""
    with connection(world.layout) as http:
        url = f"{world.layout.host_url}/admin/host/invocations"
        tallies = http.get(url, headers={"x-functions-key": world.layout.host_key}, timeout=10).json()
    return sum(int(tallies[name]["invocations"]) for name in functions)


def both_silent(world: World) -> None:
    """Both systems keep their events to themselves, so that edits on both sides meet."""
    world.partner_center_delivery(mode="stopped")
    world.dataverse_events(mode="stopped")


def both_speak(world: World) -> None:
    world.partner_center_delivery(mode="normal")
    world.dataverse_events(mode="normal")
    world.settle()


def post(world: World, queue: str, body: str) -> None:
    """Somebody puts a message into a queue of ours."""
    with (
        ServiceBusClient.from_connection_string(world.layout.service_bus_connection) as client,
        client.get_queue_sender(queue) as sender,
    ):
        sender.send_messages(ServiceBusMessage(body))


def opportunities_carrying(world: World, referral_id: str) -> list[Json]:
    return world.seller.find("opportunities", filter=f"cosell_referralidentifier eq '{referral_id}'")


def opportunities_named(world: World, name: str) -> list[Json]:
    return world.seller.find("opportunities", filter=f"contains(name,'{name}')")


# -- echoes ------------------------------------------------------------------------------------------------------------
@both_profiles
def test_AT_F01_one_edit_in_the_crm(world: World) -> None:
    """I change one thing: Partner Center is told once, my row is stamped once, and then it is quiet."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    there, here, lines = world.pc_writes(own), world.writes(deal), len(world.audit(deal))
    world.seller.update("opportunities", deal, estimatedvalue=65000)
    world.settle()

    assert world.referral(own)["details"]["dealValue"] == 65000
    assert world.pc_writes(own) == there + 1
    assert world.writes(deal) == here + 1
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
    newest = [line for line in world.audit(deal) if "CONFLICT" in line]
    assert len(newest) == 1
    assert stays in newest[0]
    assert replaced in newest[0]


def test_AT_F06_conflicts_left_to_people(worlds: Worlds) -> None:
    """We want to decide ourselves: both values stay until somebody makes them equal, and the row says so."""
    world = worlds(CONFLICT_POLICY="manual")
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
    assert len(world.seller.find("opportunitycloses", filter=f"_opportunityid_value eq {deal}")) == 1


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
    assert len(world.seller.find("accounts", filter=f"name eq '{first['customerProfile']['name']}'")) == 1


# -- outages -----------------------------------------------------------------------------------------------------------
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
            for step in range(1, 11):  # ten edits of each deal: a hundred
                for deal in deals:
                    world.seller.update("opportunities", deal, estimatedvalue=50000 + step)
            world.settle(scheduled=False)
        assert center.requests == []
        assert all(world.opportunity(deal)["name"].startswith("✔ ") for deal in deals)
        assert world.log().count("ALERT") == alerts + 1
        assert world.parked() == []

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


def test_AT_F11_many_deals_at_once(worlds: Worlds) -> None:
    """Far more deals change than Partner Center may be asked about in a minute: they come one after the other.

    24 deals instead of 10 000, at 240 calls a minute: without a limit all their calls would come within seconds.
    """
    limit = 240
    world = worlds(PC_CALLS_PER_MINUTE=limit)
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


# -- what nobody expects -----------------------------------------------------------------------------------------------
def test_AT_F12_words_nobody_knows(world: World) -> None:
    """Partner Center uses words and properties we do not know: nothing of mine changes, nothing there is lost."""
    deal = world.shared_deal()
    own = world.own_of(deal)["id"]
    news = {"status": "Engaged", "substatus": "InReview", "horizon": {"quarter": 3}, "details": {"notes": "New words."}}
    world.sim("partner_center", "POST", f"/_sim/referrals/{own}/service", json=news)
    world.settle()
    row = world.opportunity(deal)
    assert (row["statecode"], row["statuscode"]) == (OPEN, IN_PROGRESS)
    assert row["description"] == "New words."
    assert row["cosell_referralstatus"] == "Engaged/InReview"
    assert "STATUS_UNKNOWN" in world.audit(deal)[0]
    lines = len(world.audit(deal))

    world.seller.update("opportunities", deal, estimatedvalue=65000)
    world.settle()
    referral = world.referral(own)
    assert referral["details"]["dealValue"] == 65000
    assert (referral["status"], referral["substatus"]) == ("Engaged", "InReview")
    assert referral["horizon"] == {"quarter": 3}
    assert len(world.audit(deal)) == lines + 1

    world.sim(
        "partner_center", "POST", f"/_sim/referrals/{own}/service", json={"status": "Active", "substatus": "Accepted"}
    )
    world.settle()
    assert world.opportunity(deal)["statecode"] == OPEN
    assert world.opportunity(deal)["name"].startswith("✔ ")


def test_AT_F13_poison(world: World) -> None:
    """Rubbish in a queue is set aside with its reason; I can look at it, send it again, or throw it away."""
    before = len(world.parked())
    post(world, "dynamics-365-opportunities", "this is not a change")
    post(world, "partner-center-events", '{"schemaVersion": 1, "subject": "referral", "id": "no guid", "reason": "x"}')
    world.fault("dataverse", kind="status", status=400, method="POST", path="/api/data/v9.2/opportunities", times=1)
    own = world.created_in_portal()
    world.settle()
    assert len(world.parked()) == before + 3
    assert world.dead_letters() == []
    assert opportunities_carrying(world, own["id"]) == []

    listed = admin(world, "parked", "list")
    assert listed.code == 0
    assert listed.out.count("UNREADABLE_MESSAGE") == 2
    rejected = next(line for line in listed.out.splitlines() if "DV_REJECTED" in line).split()[0]
    shown = admin(world, "parked", "show", rejected)
    assert own["id"] in shown.out
    assert '"queue": "partner-center-events"' in shown.out

    assert admin(world, "parked", "replay", rejected).code == 0
    assert admin(world, "parked", "discard", "--code", "UNREADABLE_MESSAGE").code == 0
    world.settle()
    assert len(opportunities_carrying(world, own["id"])) == 1
    assert len(world.parked()) == before


def test_AT_F14_deal_with_another_partner(world: World) -> None:
    """Another partner sends me a deal: I work on it like on any other; what they do with theirs I can read."""
    own = world.inbound(kind="partner")
    world.settle()
    deal = world.opportunity_of(own["id"])["opportunityid"]
    assert world.opportunity(deal)["cosell_dealtype"] == PARTNER_TO_PARTNER
    assert world.opportunity(deal)["statuscode"] == ON_HOLD
    world.seller.update("opportunities", deal, statuscode=IN_PROGRESS)
    world.settle()
    assert world.referral(own["id"])["status"] == "Active"

    writes = world.pc_writes(own["id"])
    theirs = world.sim("partner_center", "POST", f"/_sim/engagements/{own['engagementId']}/partner", json={}).json()
    world.settle()
    accepted = {"status": "Active", "substatus": "Accepted"}
    world.sim("partner_center", "POST", f"/_sim/referrals/{theirs['id']}/service", json=accepted)
    world.settle()
    assert opportunities_carrying(world, theirs["id"]) == []
    assert len(opportunities_named(world, own["name"])) == 1
    assert world.opportunity(deal)["cosell_referralidentifier"] == own["id"]
    assert world.opportunity(deal)["cosell_microsoftreferralidentifier"] is None
    told = [line for line in world.audit(deal) if "another partner" in line]
    assert ["Active/Accepted" in line for line in told] == [True, False]
    assert world.pc_writes(own["id"]) == writes
    assert world.pc_writes(theirs["id"]) == 0

    world.seller.update("opportunities", deal, estimatedvalue=83000)
    world.settle()
    assert world.referral(own["id"])["details"]["dealValue"] == 83000


def test_AT_F14_solution_assessment(world: World) -> None:
    """A deal without any solution, such as an assessment, is mine to work on as well."""
    own = world.created_in_portal(details={"requirements": {"solutions": []}})
    world.settle()
    deal = world.opportunity_of(own["id"])["opportunityid"]
    assert world.opportunity(deal)["name"].startswith("✔ ")
    assert world.solutions(deal) == []

    world.seller.update("opportunities", deal, estimatedvalue=83000)
    world.settle()
    assert world.referral(own["id"])["details"]["dealValue"] == 83000
    assert world.opportunity(deal)["name"].startswith("✔ ")


@pytest.mark.parametrize("seed", [1, 2])
def test_AT_F15_both_records_arrive_at_once(world: World, seed: int) -> None:
    """Partner Center tells of our record and of Microsoft's at once: I get one deal with everything in it."""
    world.partner_center_delivery(mode="stopped")
    sent = [world.inbound() for _ in range(3)]
    world.partner_center_delivery(mode="reorder", reorder_within_s=0.2, seed=seed)
    world.settle()

    for own in sent:
        row = world.opportunity_of(own["id"])
        assert len(opportunities_named(world, own["name"])) == 1
        assert row["cosell_microsoftstatus"] == "Accepted"
        theirs = next(one for one in world.portal.engagement(own["engagementId"]) if one["organizationId"] == "msft")
        assert row["cosell_microsoftreferralidentifier"] == theirs["id"]
        assert row["cosell_microsoftcrmidentifier"] == theirs["trackingInfo"]["microsoftMsxId"]
        assert sum(" CREATE " in line for line in world.audit(row["opportunityid"])) == 1
    assert world.parked() == []


def test_AT_F16_catalogue_upload(world: World) -> None:
    """An administrator uploads five hundred solutions from Excel: no deal is touched by that."""
    flows = (
        *CRM_FLOWS,
        "dynamics_365_opportunity_to_partner_center",
        "dynamics_365_microsoft_solutions_to_partner_center",
    )
    started, batch = runs(world, *flows), unique("Upload")

    def upload(number: int) -> None:
        row = {"cosell_name": f"{batch} {number}", "cosell_solutionid": f"SOL-{batch}-{number}"}
        world.seller.create("cosell_microsoftsolutiondetails", row)

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(upload, range(500)))
    world.settle()
    rows = world.seller.find("cosell_microsoftsolutiondetails", filter=f"startswith(cosell_name,'{batch} ')")
    assert len(rows) == 500
    assert runs(world, *flows) == started


def test_AT_F17_dry_run(worlds: Worlds) -> None:
    """We try the connector without letting it write: the log shows what it would do, and nothing changes anywhere."""
    world = worlds(DRY_RUN="yes")
    with world.counting("partner_center") as center, world.counting("dataverse") as crm:
        deal = world.new_deal(help_option=HELP_PROOF_OF_CONCEPT)
        blocked = world.new_deal(account={"address1_country": "Germany"})
        own = world.created_in_portal()
        invited = world.inbound()
        lead = world.inbound(kind="marketplace-lead")
        world.settle()

    assert center.count("POST", "PATCH", "PUT", "DELETE", path="/v1.0") == 0
    assert crm.count("POST", "PATCH", "PUT", "DELETE") == 0
    for one in (deal, blocked):
        row = world.opportunity(one)
        assert row["cosell_referralidentifier"] is None
        assert row["cosell_audit"] is None
    for arrived in (own, invited):
        assert opportunities_named(world, arrived["name"]) == []
    assert world.lead_of(lead["id"]) is None
    said = world.log()
    assert "DRY RUN would create a referral" in said
    assert "DRY RUN would create a row of account" in said
    assert "DRY RUN would create a row of lead" in said
    assert world.parked() == []


def test_AT_F18_upgrade(worlds: Worlds, tmp_path: Path) -> None:
    """A new version is put in place while work is under way: everything is finished, nothing has to be set up again."""
    overlay = tmp_path / "mapping.toml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    world = worlds(FIELD_MAPPING_FILE=overlay)
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
