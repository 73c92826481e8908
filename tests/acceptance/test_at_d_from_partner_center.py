"""Created or changed in Partner Center: the CRM gets the deal, its customer and every change, once (AT-D01 … D12)."""

from __future__ import annotations

import time
import uuid

import pytest

from tests.acceptance.found import accounts_named, opportunities_carrying, opportunities_named
from tests.acceptance.profiles import another_way, both_profiles
from tests.acceptance.world import Json, World, unique

pytestmark = pytest.mark.sandbox

OWN_SOLUTION = "SOL-70412-KQX"
OPEN, QUALIFIED = 0, 1
PARTNER_LED, CO_SELL = 100000001, 100000002
IN_SYNC = 100000002
BOOKKEEPING = {
    "@odata.etag", "@odata.context", "versionnumber", "modifiedon", "_modifiedby_value",
    "cosell_audit", "cosell_syncstate", "cosell_lastsyncedon", "cosell_referralstatus",
}  # fmt: skip
"""Columns that any effective synchronisation may write."""


def business_changes(before: Json, after: Json) -> set[str]:
    """The columns that differ, without those that only record the synchronisation."""
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name) != after.get(name)} - BOOKKEEPING


@both_profiles
def test_AT_D01_new_deal_in_partner_center(world: World) -> None:
    """My colleague enters a deal in Partner Center: I find it in the CRM, complete, with its customer."""
    own = world.created_in_portal()
    world.settle()

    row = world.opportunity_of(own["id"])
    account = world.seller.read("accounts", row["_parentaccountid_value"])
    contact = world.seller.read("contacts", row["_parentcontactid_value"])
    customer = own["customerProfile"]
    assert account["name"] == customer["name"]
    assert account["address1_postalcode"] == customer["address"]["postalCode"]
    assert account["address1_country"] == "US"
    assert row["_customerid_value"] == account["accountid"]
    assert contact["emailaddress1"] == customer["team"][0]["email"]
    assert contact["_parentcustomerid_value"] == account["accountid"]
    assert row["name"] == f"✔ {own['name']}"
    assert (row["statecode"], row["statuscode"]) == (OPEN, 1)
    assert row["estimatedvalue"] == own["details"]["dealValue"]
    assert row["_transactioncurrencyid_value"] == world.seller.currency_id("USD")
    assert row["estimatedclosedate"] == "2027-09-30"
    assert row["description"] == own["details"]["notes"]
    assert row["cosell_syncwithpartnercenter"] is True
    assert row["cosell_engagementidentifier"] == own["engagementId"]
    assert own["id"] in row["cosell_referrallink"]
    assert row["cosell_syncstatus"] == IN_SYNC
    assert [one["cosell_solutionid"] for one in world.solutions(row["opportunityid"])] == [OWN_SOLUTION]
    assert len(world.audit(row["opportunityid"])) == 1
    assert world.referral(own["id"])["externalReferenceId"] == row["opportunityid"]
    assert world.pc_writes(own["id"]) == 1


@both_profiles
def test_AT_D02_known_customer(world: World) -> None:
    """The customer is in my CRM already: the new deal hangs on the account I know."""
    name = unique("Contoso Foods")
    account = world.new_account(name=name, address1_postalcode="98052")
    own = world.created_in_portal(customerProfile={"name": name.upper(), "address": {"postalCode": "98 052"}})
    world.settle()

    assert world.opportunity_of(own["id"])["_parentaccountid_value"] == account
    assert len(accounts_named(world, name)) == 1
    assert world.seller.read("accounts", account)["address1_line1"] == "1 Microsoft Way"


@both_profiles
def test_AT_D03_same_name_in_another_town(world: World) -> None:
    """A company of the same name elsewhere is another customer: it gets an account of its own."""
    name = unique("Contoso Foods")
    account = world.new_account(name=name, address1_postalcode="98052")
    own = world.created_in_portal(customerProfile={"name": name, "address": {"postalCode": "10115"}})
    world.settle()

    found = world.opportunity_of(own["id"])["_parentaccountid_value"]
    assert found != account
    assert {one["accountid"] for one in accounts_named(world, name)} == {account, found}


def test_AT_D04_two_accounts_match(world: World) -> None:
    """Two accounts could be meant: the active one changed last is taken, and I read that there was a doubt."""
    name = unique("Contoso Foods")
    first, second, third = (world.new_account(name=name, address1_postalcode="98052") for _ in range(3))
    time.sleep(1.1)  # Dataverse stamps whole seconds
    world.seller.update("accounts", first, telephone1="+1 425 555 0101")
    world.seller.update("accounts", third, statecode=1, statuscode=2)
    own = world.created_in_portal(customerProfile={"name": name, "address": {"postalCode": "98052"}})
    world.settle()

    row = world.opportunity_of(own["id"])
    assert row["_parentaccountid_value"] == first
    assert second != first
    assert "ACCOUNT_AMBIGUOUS" in world.audit(row["opportunityid"])[0]
    assert row["name"].startswith("✔ ")


@both_profiles
def test_AT_D05_only_what_changed(world: World) -> None:
    """Value, currency, closing date and notes change in Partner Center: exactly these change in my CRM."""
    own = world.created_in_portal()
    world.settle()
    before = world.opportunity_of(own["id"])
    deal = before["opportunityid"]
    world.seller.update("opportunities", deal, customerneed="Fewer losses in transport")
    world.settle()
    before, lines = world.opportunity(deal), len(world.audit(deal))

    details = {"dealValue": 95000.5, "currency": "EUR", "closingDateTime": "2027-11-15T00:00:00Z", "notes": "One site."}
    world.portal.edit(own["id"], {"details": details})
    world.settle()

    after = world.opportunity(deal)
    assert after["estimatedvalue"] == 95000.5
    assert after["_transactioncurrencyid_value"] == world.seller.currency_id("EUR")
    assert after["estimatedclosedate"] == "2027-11-15"
    assert after["description"] == "One site."
    allowed = {"estimatedvalue", "estimatedvalue_base", "_transactioncurrencyid_value", "exchangerate",
               "estimatedclosedate", "description"}  # fmt: skip
    assert business_changes(before, after) <= allowed | {name for name in after if name.endswith("_base")}
    assert len(world.audit(deal)) == lines + 1
    assert world.referral(own["id"])["details"]["dealValue"] == 95000.5
    assert world.pc_writes(own["id"]) == 1


@both_profiles
def test_AT_D06_team_solution_and_name(world: World) -> None:
    """Name and team of a deal stay as they are in my CRM; its solutions follow, unless only the basics are to."""
    own = world.created_in_portal()
    world.settle()
    before = world.opportunity_of(own["id"])
    deal, writes = before["opportunityid"], world.writes(before["opportunityid"])

    member = {
        "firstName": "Mia",
        "lastName": "Ek",
        "email": "mia.ek@fjordvik.example",
        "phoneNumber": "+47 90 00 00 01",
    }
    other = {"id": "SOL-81234-ZZT", "name": "RouteGuard", "type": "Name"}
    changes = {"name": "Renamed in the portal", "team": [member], "details": {"requirements": {"solutions": [other]}}}
    world.portal.edit(own["id"], changes)
    world.settle()

    after = world.opportunity(deal)
    rows = [(one["cosell_solutionid"], one["cosell_name"]) for one in world.solutions(deal)]
    assert after["name"] == before["name"]
    assert after["_ownerid_value"] == before["_ownerid_value"]
    assert business_changes(before, after) == set()
    if world.profile == "parity":
        assert world.writes(deal) == writes
        assert rows == [(OWN_SOLUTION, "ColdTrack")]
    else:
        assert rows == [("SOL-81234-ZZT", "RouteGuard")]
    assert world.referral(own["id"])["details"]["requirements"]["solutions"][0]["id"] == "SOL-81234-ZZT"


@both_profiles
def test_AT_D07_unknown_crm_id(world: World) -> None:
    """A deal that names a record my CRM does not have is left alone, and the log says so."""
    said = world.log().count("CRM_ID_NOT_FOUND")
    own = world.created_in_portal(externalReferenceId=str(uuid.uuid4()))
    world.settle()

    assert opportunities_carrying(world, own["id"]) == []
    assert opportunities_named(world, own["name"]) == []
    assert world.log().count("CRM_ID_NOT_FOUND") == said + 1
    assert world.pc_writes(own["id"]) == 0


def test_AT_D08_deal_typed_in_with_my_record_id(world: World) -> None:
    """My colleague enters my opportunity in Partner Center with its CRM id: the two are linked, nothing is doubled."""
    deal = world.new_deal(cosell_syncwithpartnercenter=False, name=unique("Typed in twice"))
    world.settle()
    own = world.created_in_portal(externalReferenceId=deal, details={"dealValue": 61000})
    world.settle()

    row = world.opportunity(deal)
    assert row["cosell_referralidentifier"] == own["id"]
    assert row["cosell_syncwithpartnercenter"] is True
    assert row["name"].startswith("✔ Typed in twice")
    assert opportunities_named(world, own["name"]) == []
    assert [one["id"] for one in world.owns_of(deal)] == [own["id"]]

    world.portal.edit(own["id"], {"details": {"dealValue": 62000}})
    world.settle()
    assert world.opportunity(deal)["estimatedvalue"] == 62000


@both_profiles
def test_AT_D09_lead_not_accepted(world: World) -> None:
    """A lead from the marketplace that nobody accepted is a lead in my CRM and nothing more."""
    own = world.inbound(kind="marketplace-lead")
    world.settle()

    lead = world.lead_of(own["id"])
    assert lead is not None
    assert lead["statecode"] == OPEN
    assert lead["companyname"] == own["customerProfile"]["name"]
    assert lead["emailaddress1"] == own["customerProfile"]["team"][0]["email"]
    assert opportunities_carrying(world, own["id"]) == []
    assert accounts_named(world, own["customerProfile"]["name"]) == []
    assert world.referral(own["id"])["externalReferenceId"] == lead["leadid"]


@both_profiles
def test_AT_D10_lead_accepted(world: World) -> None:
    """The lead is accepted in Partner Center: my lead is qualified and the opportunity is there."""
    own = world.inbound(kind="marketplace-lead")
    world.settle()
    world.portal.accept(own["id"])
    world.settle()

    row, lead = world.opportunity_of(own["id"]), world.lead_of(own["id"])
    assert lead is not None
    assert lead["statecode"] == QUALIFIED
    assert row["_originatingleadid_value"] == lead["leadid"]
    assert (row["statecode"], row["statuscode"]) == (OPEN, 1)
    assert row["cosell_syncwithpartnercenter"] is True
    assert row["estimatedvalue"] == 80000
    assert row["name"].startswith("✔ ")
    assert len(accounts_named(world, own["customerProfile"]["name"])) == 1
    assert world.referral(own["id"])["externalReferenceId"] == row["opportunityid"]


@another_way
@both_profiles
def test_AT_D11_only_shared_deals_wanted(world: World) -> None:
    """We only want co-sell: leads and private deals stay in Partner Center, deals shared with Microsoft come."""
    lead = world.inbound(kind="marketplace-lead")
    private = world.created_in_portal(consent={"consentToShareReferralWithMicrosoftSellers": False})
    partner_led = world.created_in_portal()
    co_sell = world.created_in_portal(inviteContext={"assistanceRequestCode": "QuotesOrLicensing"})
    world.settle()

    assert world.lead_of(lead["id"]) is None
    assert opportunities_carrying(world, private["id"]) == []
    assert world.opportunity_of(partner_led["id"])["cosell_dealtype"] == PARTNER_LED
    assert world.opportunity_of(co_sell["id"])["cosell_dealtype"] == CO_SELL
    assert world.pc_writes(lead["id"]) == world.pc_writes(private["id"]) == 0


@another_way
@both_profiles
def test_AT_D12_only_shared_deals_wanted_the_other_way(world: World) -> None:
    """That switch is about what comes in: my own deal without Microsoft's help still goes to Partner Center."""
    deal = world.shared_deal()

    assert world.own_of(deal)["status"] == "Active"
    assert world.microsofts_of(deal) == []
