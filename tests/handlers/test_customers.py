"""Which account and contacts a deal that arrives belongs to, and what of the deal is kept beside its columns."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shared.domain.row import Lookup
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal, member

OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def customer(**changes: Any) -> dict[str, Any]:
    return {**deal()["customerProfile"], **changes}


def arrives(made: Bench, **changes: Any) -> dict[str, Any]:
    """A deal from Microsoft arrives; its opportunity's columns."""
    referral = made.partner_center.invite(deal(externalReferenceId=None, **changes))
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="referral-created"), made.connections)
    rows = made.dataverse.rows.all("opportunity").values()
    return next(row for row in rows if row["cosell_referralidentifier"] == referral.id)


def account(made: Bench, row_id: str, **columns: Any) -> Lookup:
    values = {"name": "Another name", "address1_postalcode": "0150", **columns}
    made.dataverse.as_user().create("account", values, row_id)
    return Lookup("account", row_id)


@pytest.mark.parametrize(("kind", "column"), [("External", "cosell_externalidentifier"), ("Duns", "cosell_dunsnumber")])
def test_an_account_that_carries_the_customers_id_is_the_customer_whatever_its_name(kind: str, column: str) -> None:
    made = bench()
    known = account(made, OLD, **{column: "731204988"})
    row = arrives(made, customerProfile=customer(ids=[{"profileType": kind, "id": " 731204988 "}]))
    assert row["parentaccountid"] == known


def test_partner_centers_own_id_is_surer_than_the_duns_number() -> None:
    made = bench()
    account(made, OLD, cosell_dunsnumber="731204988")
    surer = account(made, NEW, cosell_externalidentifier="C-17")
    ids = [{"profileType": "Duns", "id": "731204988"}, {"profileType": "External", "id": "C-17"}]
    assert arrives(made, customerProfile=customer(ids=ids))["parentaccountid"] == surer


def test_a_new_account_keeps_the_ids_so_that_the_next_deal_finds_it_under_another_name() -> None:
    made = bench()
    ids = [{"profileType": "External", "id": "C-17"}, {"profileType": "Duns", "id": "9" * 30}]
    first = arrives(made, customerProfile=customer(ids=ids))
    (made_account,) = made.dataverse.rows.all("account").values()
    assert made_account["cosell_externalidentifier"] == "C-17"
    assert made_account.get("cosell_dunsnumber") is None, "longer than a DUNS number is"
    renamed = customer(ids=ids, name="Northgate Holding", address={"postalCode": "1", "country": "NO"})
    assert arrives(made, customerProfile=renamed)["parentaccountid"] == first["parentaccountid"]


def test_in_parity_only_name_and_postal_code_count() -> None:
    made = bench(PROFILE="parity")
    known = account(made, OLD, cosell_externalidentifier="C-17")
    ids = [{"profileType": "External", "id": "C-17"}]
    people = [member("Ingrid", "Solberg"), member("Tor", "Lie")]
    row = arrives(made, customerProfile=customer(ids=ids, team=people))
    assert row["parentaccountid"] != known
    assert len(made.dataverse.rows.all("contact")) == 1
    assert made.dataverse.rows.all("annotation") == {}


def sent_by_us(made: Bench, row_id: str) -> dict[str, Any]:
    """The customer of a deal that carries the account id which we send with ours."""
    ids = [{"profileType": "External", "id": row_id.upper()}]
    return customer(ids=ids, name="Renamed since", address={"postalCode": "1", "country": "NO"})


def test_the_account_whose_own_id_partner_center_has_is_the_customer() -> None:
    made = bench()
    known = account(made, OLD)
    assert arrives(made, customerProfile=sent_by_us(made, OLD))["parentaccountid"] == known


def test_an_account_that_carries_the_id_comes_before_the_one_whose_id_it_is() -> None:
    made = bench()
    account(made, OLD)
    carrying = account(made, NEW, cosell_externalidentifier=OLD)
    assert arrives(made, customerProfile=sent_by_us(made, OLD))["parentaccountid"] == carrying


def test_of_a_merged_account_the_successor_is_the_customer() -> None:
    made = bench()
    account(made, OLD)
    survivor = account(made, NEW)
    made.dataverse.rows.all("account")[OLD].update(statecode=1, masterid=survivor)
    assert arrives(made, customerProfile=sent_by_us(made, OLD))["parentaccountid"] == survivor


@pytest.mark.parametrize("given", ["inactive", "gone"])
def test_an_account_nobody_uses_any_more_is_not_the_customer(given: str) -> None:
    made = bench()
    if given == "inactive":
        account(made, OLD)
        made.dataverse.rows.all("account")[OLD].update(statecode=1)
    row = arrives(made, customerProfile=sent_by_us(made, OLD))
    assert row["parentaccountid"].id not in (OLD, NEW)
    assert made.dataverse.rows.all("account")[row["parentaccountid"].id]["cosell_externalidentifier"] == OLD.upper()


NAMED = {"name": "Northgate Foods AS", "address1_country": "NO"}
FOUND_BY: dict[str, dict[str, Any]] = {
    "external_id": {"cosell_externalidentifier": "C-17"},
    "duns": {"cosell_dunsnumber": "731204988"},
    "name_and_postal_code": {**NAMED, "address1_postalcode": "50 03"},
    "name_and_country": {**NAMED, "address1_postalcode": "9999"},
}


@pytest.mark.parametrize("rule", FOUND_BY)
@pytest.mark.parametrize("asked", ["default", "alone", "others", "parity"])
def test_each_rule_finds_its_account_where_the_settings_ask_it(rule: str, asked: str) -> None:
    others = ",".join(name for name in FOUND_BY if name != rule)
    chosen = {"alone": {"ACCOUNT_MATCH_RULES": rule}, "others": {"ACCOUNT_MATCH_RULES": others},
              "parity": {"PROFILE": "parity"}, "default": {}}[asked]  # fmt: skip
    made = bench(**chosen)
    known = account(made, OLD, **FOUND_BY[rule])
    ids = [{"profileType": "External", "id": "C-17"}, {"profileType": "Duns", "id": "731204988"}]
    address = {"country": "NO", **({"postalCode": "5003"} if rule == "name_and_postal_code" else {})}
    row = arrives(made, customerProfile=customer(ids=ids, address=address))
    expected = asked in ("default", "alone") or (asked == "parity" and rule == "name_and_postal_code")
    assert (row["parentaccountid"] == known) is expected


def test_the_rules_are_tried_in_their_own_order_however_they_are_listed() -> None:
    made = bench(ACCOUNT_MATCH_RULES="name_and_postal_code, duns")
    account(made, OLD, **FOUND_BY["name_and_postal_code"])
    surer = account(made, NEW, **FOUND_BY["duns"])
    row = arrives(made, customerProfile=customer(ids=[{"profileType": "Duns", "id": "731204988"}]))
    assert row["parentaccountid"] == surer


@pytest.mark.parametrize("lenient", ["yes", "no"])
def test_a_country_written_out_is_the_same_country_where_a_clear_meaning_is_enough(lenient: str) -> None:
    made = bench(COUNTRY_LENIENT=lenient)
    known = account(made, OLD, name="Northgate Foods AS", address1_country="Norway", address1_postalcode=None)
    row = arrives(made, customerProfile=customer(address={"country": "NO"}))
    assert (row["parentaccountid"] == known) is (lenient == "yes")


@pytest.mark.parametrize(("address", "same"), [(None, True), ("other@northgate.example", False)])
def test_a_contact_of_that_name_is_meant_unless_the_address_says_otherwise(address: str | None, same: bool) -> None:
    made = bench()
    here = account(made, OLD, name="Northgate Foods AS", address1_postalcode="5003")
    values = {"firstname": "I.", "lastname": "Solberg", "emailaddress1": address, "parentcustomerid": here}
    made.dataverse.as_user().create("contact", values, NEW)
    assert (arrives(made)["parentcontactid"] == Lookup("contact", NEW)) is same


def test_what_the_deal_asks_for_is_kept_as_a_note_once() -> None:
    made = bench()
    wanted = {"industries": [{"id": "Manufacturing"}], "services": [{"id": "DeploymentOrMigration"}]}
    details = {**deal()["details"], "requirements": {**deal()["details"]["requirements"], **wanted}}
    invited = {"notes": "Call before Friday.", "invitedBy": {"organizationId": "msft", "organizationName": "Microsoft"}}
    row = arrives(made, details=details, inviteContext=invited)
    (note,) = made.dataverse.rows.all("annotation").values()
    assert note["subject"] == "Deal requirements"
    assert note["notetext"].splitlines() == [
        "Industries: Manufacturing", "Services: DeploymentOrMigration", "Note from Microsoft: Call before Friday.",
    ]  # fmt: skip
    again = Hint(subject="referral", id=uuid.UUID(row["cosell_referralidentifier"]), reason="again")
    flow_4.handle(again, made.connections)
    assert len(made.dataverse.rows.all("annotation")) == 1


def test_the_reason_of_an_ending_becomes_the_sellers_choice() -> None:
    made = bench()
    referral = made.partner_center.create(deal(externalReferenceId=None))
    hint = Hint(subject="referral", id=uuid.UUID(referral.id), reason="referral-updated")
    flow_4.handle(hint, made.connections)
    reason = "Customer did not respond"
    made.partner_center.edit_in_portal(referral.id, status="Closed", substatus="Lost", statusReason=reason)
    flow_4.handle(hint, made.connections)
    (row,) = made.dataverse.rows.all("opportunity").values()
    assert row["cosell_closereason"] == 100000002


def test_a_solution_nobody_listed_joins_the_catalogue_once() -> None:
    made = bench()
    for _ in range(2):
        arrives(made)
    ((row_id, entry),) = made.dataverse.rows.all("cosell_microsoftsolutiondetail").items()
    assert (entry["cosell_solutionid"], entry["cosell_name"]) == ("SOL-70412-KQX", "ColdTrack")
    assert entry["cosell_imported"] is True
    rows = made.dataverse.rows.all("cosell_microsoftsolution").values()
    assert [row["cosell_solutiondetailid"].id for row in rows] == [row_id] * 2


def test_an_entry_of_the_catalogue_is_used_as_it_is() -> None:
    made = bench()
    values = {"cosell_solutionid": "SOL-70412-KQX", "cosell_name": "Our name for it"}
    made.dataverse.as_user().create("cosell_microsoftsolutiondetail", values, NEW)
    arrives(made)
    ((row_id, entry),) = made.dataverse.rows.all("cosell_microsoftsolutiondetail").items()
    assert (row_id, entry["cosell_name"]) == (NEW, "Our name for it")
    assert entry["cosell_imported"] is False
    (row,) = made.dataverse.rows.all("cosell_microsoftsolution").values()
    assert row["cosell_solutiondetailid"] == Lookup("cosell_microsoftsolutiondetail", NEW)
