"""Odd input, poison, other partners, bulk uploads and dry runs (AT-F12 … F17)."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.command_line import admin
from tests.acceptance.found import CRM_FLOWS, opportunities_carrying, opportunities_named, runs
from tests.acceptance.profiles import variant
from tests.acceptance.world import World, unique

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[2]
OPEN, IN_PROGRESS, ON_HOLD = 0, 1, 2
PARTNER_TO_PARTNER = 100000003


def post(world: World, queue: str, body: str) -> None:
    """Somebody puts a message into a queue of ours."""
    with (
        # Without a keep-alive, whose thread would be waited for at the end.
        ServiceBusClient.from_connection_string(world.layout.service_bus_connection, keep_alive=0) as client,
        client.get_queue_sender(queue) as sender,
    ):
        sender.send_messages(ServiceBusMessage(body))


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


def test_rubbish_is_seen_with_its_remedy_and_discarded(world: World) -> None:
    """The operator's command is a process of its own, as they run it: what nobody can read is listed, shown, gone."""
    before = len(world.parked())
    post(world, "partner-center-events", "not json")
    world.settle()
    settings = world.layout.state / "local.settings.json"
    listed = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "admin", "--settings", str(settings), "parked", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert "Traceback" not in listed.stdout + listed.stderr
    name = next(line for line in listed.stdout.splitlines() if "UNREADABLE_MESSAGE" in line).split()[0]
    shown = admin(world, "parked", "show", name)
    assert "not json" in shown.out
    assert "discard the message" in shown.out
    assert admin(world, "parked", "discard", name).code == 0
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


@variant(DRY_RUN="yes")
def test_AT_F17_dry_run(world: World) -> None:
    """We try the connector without letting it write: the log shows what it would do, and nothing changes anywhere."""
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
