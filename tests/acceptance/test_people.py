"""The people of a shared deal: another owner or contact in the CRM, and people whom only one side knows."""

from __future__ import annotations

import pytest

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.deal_checks import is_marked
from tests.acceptance.world import Json, World, unique

pytestmark = pytest.mark.sandbox

COLLEAGUE = {
    "firstName": "Mia",
    "lastName": "Ek",
    "email": "mia.ek@fjordvik.example",
    "phoneNumber": "+47 90 00 00 01",
}


def new_user(world: World) -> str:
    """A seller of ours who joined today; the user's id."""
    address = f"{unique('runa').replace(' ', '.')}@fjordvik.example"
    values = {"firstname": "Runa", "lastname": "Vik", "internalemailaddress": address, "domainname": address}
    return world.seller.create("systemusers", {**values, "address1_telephone1": "+47 90 00 33 44"})


def addresses(members: list[Json]) -> list[str]:
    return [str(member["email"]) for member in members]


def test_another_owner_takes_over_and_colleagues_stay(world: World) -> None:
    """I hand the deal to a colleague: Partner Center's team follows, with whom my CRM does not know; nothing echoes."""
    deal = world.shared_deal()
    own = world.own_of(deal)
    successor = new_user(world)
    address = world.seller.read("systemusers", successor)["internalemailaddress"]
    world.portal.edit(own["id"], {"team": [*own["team"], COLLEAGUE]})
    world.settle()
    writes, lines = world.pc_writes(own["id"]), len(world.audit(deal))

    world.seller.update("opportunities", deal, **{"ownerid@odata.bind": f"/systemusers({successor})"})
    world.settle()
    assert addresses(world.own_of(deal)["team"]) == [address, COLLEAGUE["email"]]
    assert world.pc_writes(own["id"]) == writes + 1
    assert len(world.audit(deal)) == lines + 1
    assert address not in world.opportunity(deal)["cosell_audit"] + world.opportunity(deal)["cosell_syncstate"]

    world.seller.update("systemusers", successor, address1_telephone1="+47 90 00 99 99")
    world.settle()
    team = world.own_of(deal)["team"]
    assert [member["phoneNumber"] for member in team] == ["+47 90 00 99 99", COLLEAGUE["phoneNumber"]]
    assert world.pc_writes(own["id"]) == writes + 2
    assert is_marked(world, deal, "✔")


def test_another_contact_until_microsoft_sees_the_deal(world: World) -> None:
    """I choose another contact: it travels while the deal is private; afterwards I am told once, and nothing fails."""
    deal = world.shared_deal()
    account = world.opportunity(deal)["_parentaccountid_value"]
    first, second = (
        world.seller.contact(account, lastname=name, emailaddress1=f"{name.lower()}@contoso.example")
        for name in ("Berg", "Holm")
    )
    world.seller.update("opportunities", deal, **{"parentcontactid@odata.bind": f"/contacts({first})"})
    world.settle()
    assert addresses(world.own_of(deal)["customerProfile"]["team"]) == ["berg@contoso.example"]
    world.seller.update("contacts", first, telephone1="+1 425 555 0177")
    world.settle()
    assert world.own_of(deal)["customerProfile"]["team"][0]["phoneNumber"] == "+1 425 555 0177"

    world.seller.update("opportunities", deal, cosell_howcanmicrosofthelp=HELP_PROOF_OF_CONCEPT)
    world.settle()
    own = world.own_of(deal)
    writes = world.pc_writes(own["id"])
    later = {"parentcontactid@odata.bind": f"/contacts({second})", "estimatedvalue": 61000}
    world.seller.update("opportunities", deal, **later)
    world.settle()
    after = world.own_of(deal)
    assert after["customerProfile"] == own["customerProfile"]
    assert after["details"]["dealValue"] == 61000
    assert world.pc_writes(own["id"]) == writes + 1
    assert "CONTACT_READONLY" in world.audit(deal)[0]
    assert is_marked(world, deal, "✔")

    world.seller.update("opportunities", deal, estimatedvalue=62000)
    world.settle()
    assert world.opportunity(deal)["cosell_audit"].count("CONTACT_READONLY") == 1


def test_everybody_the_deal_names_is_found_in_the_crm(world: World) -> None:
    """A deal names several contacts: the first is the deal's, the others are with the account; none is doubled."""
    example = world.example()
    (person,), number = example["customerProfile"]["team"], unique("").strip()
    people = [
        {**person, "lastName": name, "email": f"{name.lower()}{number}@fabrikam.example"}
        for name in ("Aas", "Bakke", "Dahl")
    ]
    own = world.created_in_portal(customerProfile={**example["customerProfile"], "team": people})
    world.settle()

    row = world.opportunity_of(own["id"])
    account = row["_parentaccountid_value"]
    found = world.seller.find("contacts", filter=f"_parentcustomerid_value eq {account}", orderby="lastname")
    assert [one["emailaddress1"] for one in found] == addresses(people)
    assert row["_parentcontactid_value"] == found[0]["contactid"]
    assert world.seller.read("accounts", account)["_primarycontactid_value"] == found[0]["contactid"]

    second = world.created_in_portal(customerProfile={**example["customerProfile"], "team": people[::-1]})
    world.settle()
    assert world.opportunity_of(second["id"])["_parentcontactid_value"] == found[2]["contactid"]
    same = world.seller.find("contacts", filter=f"_parentcustomerid_value eq {account}")
    assert len(same) == 3
