"""Winning, losing, reopening, qualifying, revenue, currencies and merges in the simulated Sales application."""

from __future__ import annotations

import pytest

from tests.sandbox.dataverse_fixture import JSON, Crm, new_id

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]


def close(crm: Crm, action: str, row_id: str, status: int, **activity: object) -> tuple[int, str]:
    closing = {"opportunityid@odata.bind": f"/opportunities({row_id})", **activity}
    answer = crm.api("POST", f"/{action}", {"Status": status, "OpportunityClose": closing})
    return (204, "") if answer.status_code == 204 else crm.refused(answer)


def state(crm: Crm, row_id: str) -> JSON:
    return crm.get(f"/opportunities({row_id})?$select=statecode,statuscode,actualvalue,actualclosedate")


def currency(crm: Crm, code: str) -> str:
    found = crm.get(f"/transactioncurrencies?$filter=isocurrencycode eq '{code}'")["value"]
    return f"/transactioncurrencies({found[0]['transactioncurrencyid']})"


def test_winning_writes_the_activity_the_state_and_the_actuals(crm: Crm) -> None:
    row_id = crm.opportunity(estimatedvalue=120000)
    activity = {"subject": "Won with partner", "actualrevenue": 118500, "actualend": "2026-09-30T00:00:00Z"}
    assert close(crm, "WinOpportunity", row_id, 3, **activity) == (204, "")
    row = state(crm, row_id)
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert (row["actualvalue"], row["actualclosedate"]) == (118500.0, "2026-09-30")
    closed = crm.get(f"/opportunities({row_id})/Opportunity_OpportunityClose")["value"]
    assert [(row["subject"], row["actualrevenue"], row["statecode"]) for row in closed] == [
        ("Won with partner", 118500.0, 1)
    ]


def test_the_estimate_stands_in_for_a_missing_actual_revenue(crm: Crm) -> None:
    row_id = crm.opportunity(estimatedvalue=120000)
    close(crm, "WinOpportunity", row_id, 3)
    assert state(crm, row_id)["actualvalue"] == 120000.0


def test_losing_and_reopening(crm: Crm) -> None:
    row_id = crm.opportunity()
    assert close(crm, "LoseOpportunity", row_id, 5) == (204, "")
    assert state(crm, row_id)["statuscode"] == 5
    assert crm.api("PATCH", f"/opportunities({row_id})", {"statecode": 0, "statuscode": 1}).status_code == 204
    row = state(crm, row_id)
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert len(crm.get(f"/opportunities({row_id})/Opportunity_OpportunityClose")["value"]) == 1


@pytest.mark.parametrize(
    ("action", "status", "activity", "expected"),
    [
        ("WinOpportunity", 4, {}, (400, "0x80048408")),
        ("LoseOpportunity", 3, {}, (400, "0x80048408")),
        ("WinOpportunity", 3, {"actualclosedate": "2026-01-01"}, (400, "0x80048d19")),
        ("WinOpportunity", None, {}, (400, "0x80040203")),
    ],
)
def test_closing_actions_refuse(crm: Crm, action: str, status: int, activity: JSON, expected: tuple[int, str]) -> None:
    row_id = crm.opportunity()
    assert close(crm, action, row_id, status, **activity) == expected
    assert state(crm, row_id)["statecode"] == 0


def test_a_closed_deal_cannot_be_closed_again_nor_a_missing_one(crm: Crm) -> None:
    row_id = crm.opportunity()
    close(crm, "WinOpportunity", row_id, 3)
    assert close(crm, "WinOpportunity", row_id, 3) == (400, "0x80040203")
    assert close(crm, "WinOpportunity", new_id(), 3) == (404, "0x80040217")


def test_the_state_is_not_closed_by_patching(crm: Crm) -> None:
    row_id = crm.opportunity()
    answer = crm.api("PATCH", f"/opportunities({row_id})", {"statecode": 1, "statuscode": 3})
    assert crm.refused(answer)[0] == 400
    assert "WinOpportunity" in answer.json()["error"]["message"]
    answer = crm.api("PATCH", f"/opportunities({row_id})", {"statecode": 0, "statuscode": 3})
    assert crm.refused(answer) == (400, "0x80048408")
    assert crm.api("PATCH", f"/opportunities({row_id})", {"statuscode": 2}).status_code == 204
    assert state(crm, row_id)["statuscode"] == 2


def test_editing_a_closed_deal_is_a_switch(crm: Crm) -> None:
    row_id = crm.opportunity()
    close(crm, "LoseOpportunity", row_id, 4)
    assert crm.api("PATCH", f"/opportunities({row_id})", {"name": "Edited"}).status_code == 204
    crm.sim("PUT", "/switches", {"closed_rows": "read-only"})
    assert crm.refused(crm.api("PATCH", f"/opportunities({row_id})", {"name": "No"})) == (400, "0x80040230")
    both = {"statecode": 0, "statuscode": 1, "name": "Reopened"}
    assert crm.api("PATCH", f"/opportunities({row_id})", both).status_code == 204


def test_system_calculated_revenue_overwrites_what_was_sent(crm: Crm) -> None:
    row_id = crm.opportunity(isrevenuesystemcalculated=True, estimatedvalue=500)
    assert crm.get(f"/opportunities({row_id})")["estimatedvalue"] == 0
    both = {"isrevenuesystemcalculated": False, "estimatedvalue": 500}
    crm.api("PATCH", f"/opportunities({row_id})", both)
    assert crm.get(f"/opportunities({row_id})")["estimatedvalue"] == 500


def test_money_is_rounded_and_kept_in_the_base_currency_too(crm: Crm) -> None:
    euro = crm.opportunity(estimatedvalue=92.005, **{"transactioncurrencyid@odata.bind": currency(crm, "EUR")})
    row = crm.get(f"/opportunities({euro})")
    assert (row["estimatedvalue"], row["exchangerate"], row["estimatedvalue_base"]) == (92.01, 0.92, 100.01)
    yen = crm.opportunity(estimatedvalue=1550.6, **{"transactioncurrencyid@odata.bind": currency(crm, "JPY")})
    assert crm.get(f"/opportunities({yen})")["estimatedvalue"] == 1551
    crm.api("PATCH", f"/opportunities({euro})", {"transactioncurrencyid@odata.bind": currency(crm, "USD")})
    row = crm.get(f"/opportunities({euro})")
    assert (row["exchangerate"], row["estimatedvalue_base"]) == (1.0, 92.01)


def test_the_base_value_does_not_follow_a_later_rate(crm: Crm) -> None:
    euro = currency(crm, "EUR")
    row_id = crm.opportunity(estimatedvalue=92, **{"transactioncurrencyid@odata.bind": euro})
    crm.seller("PATCH", euro, {"exchangerate": 0.5})
    assert crm.get(f"/opportunities({row_id})")["estimatedvalue_base"] == 100
    crm.api("PATCH", f"/opportunities({row_id})", {"name": "x"})
    assert crm.get(f"/opportunities({row_id})")["estimatedvalue_base"] == 100
    crm.api("PATCH", f"/opportunities({row_id})", {"estimatedvalue": 92})
    assert crm.get(f"/opportunities({row_id})")["estimatedvalue_base"] == 184


def test_the_currency_of_a_deal_with_a_price_list_is_locked(crm: Crm) -> None:
    level = crm.create("pricelevels", name="List")
    row_id = crm.opportunity(**{"pricelevelid@odata.bind": f"/pricelevels({level})"})
    change = {"transactioncurrencyid@odata.bind": currency(crm, "EUR")}
    assert crm.refused(crm.api("PATCH", f"/opportunities({row_id})", change)) == (400, "0x80048479")


def test_qualifying_a_lead_into_an_opportunity_for_a_known_customer(crm: Crm) -> None:
    account = crm.create("accounts", name="Fabrikam")
    lead = crm.create("leads", subject="Cloud move", companyname="Fabrikam", lastname="Doe", estimatedamount=10)
    euro = currency(crm, "EUR").partition("(")[2].rstrip(")")
    body = {
        "CreateAccount": False,
        "CreateContact": False,
        "CreateOpportunity": True,
        "Status": 3,
        "OpportunityCurrencyId": {
            "@odata.type": "Microsoft.Dynamics.CRM.transactioncurrency",
            "transactioncurrencyid": euro,
        },
        "OpportunityCustomerId": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": account},
    }
    answer = crm.api("POST", f"/leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body)
    assert answer.status_code == 200
    (created,) = answer.json()["value"]
    assert created["@odata.type"] == "#Microsoft.Dynamics.CRM.opportunity"
    deal = crm.get(f"/opportunities({created['opportunityid']})")
    assert (deal["name"], deal["_originatingleadid_value"], deal["_customerid_value"]) == ("Cloud move", lead, account)
    assert (deal["_transactioncurrencyid_value"], deal["_parentaccountid_value"]) == (euro, account)
    qualified = crm.get(f"/leads({lead})")
    assert (qualified["statecode"], qualified["statuscode"]) == (1, 3)
    assert qualified["_qualifyingopportunityid_value"] == created["opportunityid"]
    again = crm.api("POST", f"/leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body)
    assert again.status_code == 400


def test_qualifying_a_lead_creates_account_and_contact_when_asked(crm: Crm) -> None:
    lead = crm.create(
        "leads", subject="S", companyname="Contoso", firstname="Ada", lastname="Berg", address1_city="Oslo"
    )
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
    created = crm.api("POST", f"/leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body).json()["value"]
    ids = {kind: value for row in created for kind, value in row.items() if kind.endswith("id")}
    assert crm.get(f"/accounts({ids['accountid']})")["address1_city"] == "Oslo"
    assert crm.get(f"/contacts({ids['contactid']})")["fullname"] == "Ada Berg"
    deal = crm.get(f"/opportunities({ids['opportunityid']})")
    assert (deal["_parentaccountid_value"], deal["_parentcontactid_value"]) == (ids["accountid"], ids["contactid"])


def test_a_refused_qualification_leaves_nothing_behind(crm: Crm) -> None:
    lead = crm.create("leads", subject="S", companyname="Contoso", lastname="Berg")
    crm.sim("PUT", "/switches", {"denied_privileges": ["prvCreateOpportunity"]})
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
    answer = crm.api("POST", f"/leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body)
    assert crm.refused(answer) == (403, "0x80040220")
    assert crm.get("/accounts")["value"] == []
    assert crm.get(f"/leads({lead})")["statecode"] == 0


def test_merging_accounts_moves_their_deals(crm: Crm) -> None:
    keeper, old = crm.create("accounts", name="Keeper"), crm.create("accounts", name="Old")
    row_id = crm.opportunity(**{"customerid_account@odata.bind": f"/accounts({old})"})
    before = crm.get(f"/opportunities({row_id})")["versionnumber"]
    crm.sim("POST", "/merge", {"table": "account", "keeper": keeper, "subordinate": old})
    row = crm.get(f"/opportunities({row_id})")
    assert (row["_customerid_value"], row["_parentaccountid_value"]) == (keeper, keeper)
    assert row["versionnumber"] > before
    gone = crm.get(f"/accounts({old})")
    assert (gone["statecode"], gone["merged"], gone["_masterid_value"]) == (1, True, keeper)


def test_notes_hang_on_the_deal(crm: Crm) -> None:
    row_id = crm.opportunity()
    note = {"subject": "Note", "notetext": "Text", "objectid_opportunity@odata.bind": f"/opportunities({row_id})"}
    crm.create("annotations", **note)
    found = crm.get(
        f"/annotations?$select=subject,notetext&$filter=_objectid_value eq {row_id}&$orderby=createdon desc"
    )
    assert [row["notetext"] for row in found["value"]] == ["Text"]
    crm.api("DELETE", f"/opportunities({row_id})")
    assert crm.get("/annotations")["value"] == []
