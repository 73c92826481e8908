"""Create, update, upsert and delete of rows: preconditions, validation and the vendor's codes, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.dataverse_fixture import REPRESENTATION, Crm, new_id

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]


def test_a_row_is_created_with_the_platforms_defaults(crm: Crm) -> None:
    answer = crm.api("POST", "/opportunities", {"name": "Deal"}, **REPRESENTATION)
    assert answer.status_code == 201
    row = answer.json()
    assert answer.headers["ETag"] == row["@odata.etag"] == f'W/"{row["versionnumber"]}"'
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["_ownerid_value"] == row["_owninguser_value"] == crm.layout.app_user_id
    assert row["_createdby_value"] == crm.layout.app_user_id
    currency = crm.get(f"/transactioncurrencies({row['_transactioncurrencyid_value']})?$select=isocurrencycode")
    assert currency["isocurrencycode"] == "USD"
    assert row["isrevenuesystemcalculated"] is False
    assert row["description"] is None, "empty columns are shown as null"


def test_without_the_preference_only_the_address_comes_back(crm: Crm) -> None:
    own = new_id()
    answer = crm.api("POST", "/opportunities", {"opportunityid": own, "name": "Deal"})
    assert answer.status_code == 204
    assert not answer.content
    assert answer.headers["OData-EntityId"] == f"{crm.layout.dataverse_url}/api/data/v9.2/opportunities({own})"


def test_an_own_primary_key_can_be_used_once(crm: Crm) -> None:
    row_id = crm.opportunity()
    assert crm.refused(crm.api("POST", "/opportunities", {"opportunityid": row_id})) == (412, "0x80040237")


def test_an_alternate_key_is_unique_whatever_its_case(crm: Crm) -> None:
    first = crm.opportunity(cosell_referralidentifier="ABC-1")
    crm.opportunity()
    crm.opportunity()  # rows without a key value do not collide
    answer = crm.api("POST", "/opportunities", {"cosell_referralidentifier": "abc-1 "})
    assert crm.refused(answer) == (412, "0x80060892")
    other = crm.opportunity()
    answer = crm.api("PATCH", f"/opportunities({other})", {"cosell_referralidentifier": "ABC-1"})
    assert crm.refused(answer) == (412, "0x80060892")
    assert crm.get("/opportunities(cosell_referralidentifier='abc-1')")["opportunityid"] == first


@pytest.mark.parametrize(
    ("method", "header", "exists", "expected"),
    [
        ("PATCH", {}, True, (204, "")),
        ("PATCH", {}, False, (204, "")),
        ("PATCH", {"If_Match": "*"}, True, (204, "")),
        ("PATCH", {"If_Match": "*"}, False, (404, "0x80040217")),
        ("PATCH", {"If_Match": "current"}, True, (204, "")),
        ("PATCH", {"If_Match": 'W/"1"'}, True, (412, "0x80060882")),
        ("PATCH", {"If_Match": 'W/"1"'}, False, (404, "0x80040217")),
        ("PATCH", {"If_None_Match": "*"}, True, (412, "0x80040237")),
        ("PATCH", {"If_None_Match": "*"}, False, (204, "")),
        ("DELETE", {}, True, (204, "")),
        ("DELETE", {}, False, (404, "0x80040217")),
        ("DELETE", {"If_Match": "current"}, True, (204, "")),
        ("DELETE", {"If_Match": 'W/"1"'}, True, (412, "0x80060882")),
    ],
)
def test_preconditions(crm: Crm, method: str, header: dict[str, str], exists: bool, expected: tuple[int, str]) -> None:
    row_id = crm.opportunity() if exists else new_id()
    if header.get("If_Match") == "current":
        header = {"If_Match": crm.get(f"/opportunities({row_id})")["@odata.etag"]}
    body = {"name": "New"} if method == "PATCH" else None
    answer = crm.api(method, f"/opportunities({row_id})", body, **header)
    assert answer.status_code == expected[0], answer.text
    if expected[1]:
        assert answer.json()["error"]["code"] == expected[1]
        return
    after = crm.api("GET", f"/opportunities({row_id})?$select=name")
    assert (after.status_code == 404) if method == "DELETE" else (after.json()["name"] == "New")


def test_upsert_by_alternate_key_takes_the_key_from_the_address(crm: Crm) -> None:
    path = "/opportunities(cosell_referralidentifier='ref-7')"
    assert crm.refused(crm.api("PATCH", path, {"name": "x"}, If_Match="*")) == (404, "0x80060891")
    created = crm.api("PATCH", path, {"name": "First"})
    assert created.status_code == 204
    assert created.headers["OData-EntityId"].endswith("/opportunities(cosell_referralidentifier='ref-7')")
    assert crm.get(f"{path}?$select=name,cosell_referralidentifier")["cosell_referralidentifier"] == "ref-7"
    crm.api("PATCH", path, {"name": "Second", "cosell_referralidentifier": "ignored"})
    assert crm.get(f"{path}?$select=name")["name"] == "Second"


def test_the_reported_variant_of_conditional_upsert_on_a_key(crm: Crm) -> None:
    path = "/opportunities(cosell_referralidentifier='ref-8')"
    crm.sim("PUT", "/switches", {"key_upsert_if_none_match": "not-found"})
    assert crm.refused(crm.api("PATCH", path, {"name": "x"}, If_None_Match="*")) == (404, "0x80060891")
    crm.sim("PUT", "/switches", {"key_upsert_if_none_match": "creates"})
    assert crm.api("PATCH", path, {"name": "x"}, If_None_Match="*").status_code == 204


def test_an_update_that_changes_nothing_still_makes_a_new_version(crm: Crm) -> None:
    row_id = crm.opportunity(name="Same")
    before = crm.get(f"/opportunities({row_id})")
    assert crm.api("PATCH", f"/opportunities({row_id})", {"name": "Same"}, If_Match="*").status_code == 204
    after = crm.get(f"/opportunities({row_id})")
    assert after["versionnumber"] > before["versionnumber"]


def test_columns_are_cleared_with_null_and_with_an_empty_text(crm: Crm) -> None:
    account = crm.create("accounts", name="Fabrikam")
    row_id = crm.opportunity(
        description="Old", cosell_campaigncode="C1", **{"parentaccountid@odata.bind": f"accounts({account})"}
    )
    change = {"description": None, "cosell_campaigncode": "", "parentaccountid@odata.bind": None}
    assert crm.api("PATCH", f"/opportunities({row_id})", change, If_Match="*").status_code == 204
    row = crm.get(f"/opportunities({row_id})")
    assert (row["description"], row["cosell_campaigncode"], row["_parentaccountid_value"]) == (None, None, None)


def test_single_properties_and_references(crm: Crm) -> None:
    account = crm.create("accounts", name="Fabrikam")
    row_id = crm.opportunity(description="Old")
    assert crm.api("PUT", f"/opportunities({row_id})/name", {"value": "Put"}).status_code == 204
    assert crm.get(f"/opportunities({row_id})/name")["value"] == "Put"
    assert crm.api("DELETE", f"/opportunities({row_id})/description").status_code == 204
    assert crm.api("GET", f"/opportunities({row_id})/description").status_code == 204
    reference = {"@odata.id": f"{crm.layout.dataverse_url}/api/data/v9.2/accounts({account})"}
    assert crm.api("PUT", f"/opportunities({row_id})/parentaccountid/$ref", reference).status_code == 204
    assert crm.get(f"/opportunities({row_id})/parentaccountid?$select=name")["name"] == "Fabrikam"
    assert crm.api("DELETE", f"/opportunities({row_id})/parentaccountid/$ref").status_code == 204
    assert crm.get(f"/opportunities({row_id})")["_parentaccountid_value"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"actualclosedatum": "2026-01-01"}, "0x80048d19"),
        ({"parentAccountId@odata.bind": "/accounts(00000000-0000-0000-0000-000000000001)"}, "0x80048d19"),
        ({"parentaccountid": "00000000-0000-0000-0000-000000000001"}, "0x80048d19"),
        ({"_parentaccountid_value": "00000000-0000-0000-0000-000000000001"}, "0x80048d19"),
        ({"estimatedvalue": "125000"}, "0x80048d19"),
        ({"estimatedclosedate": "2026-10-30T00:00:00Z"}, "0x80048d19"),
        ({"cosell_respondby": "2026-10-30"}, "0x80048d19"),
        ({"cosell_syncwithpartnercenter": 1}, "0x80048d19"),
        ({"closeprobability": 10.5}, "0x80048d19"),
        ({"name": 7}, "0x80048d19"),
        ({"name": "x" * 301}, "0x80044331"),
        ({"name": "\U0001f600" * 151}, "0x80044331"),
        ({"closeprobability": 101}, "0x8004432f"),
        ({"budgetamount": -1}, "0x80044330"),
        ({"estimatedvalue": 1e13}, "0x80044330"),
        ({"cosell_dealtype": 99}, "0x8004431a"),
        ({"statuscode": 3}, "0x80048408"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_what_does_not_fit_a_column_is_refused(crm: Crm, body: dict[str, Any], code: str) -> None:
    assert crm.refused(crm.api("POST", "/opportunities", {"name": "Deal", **body})) == (400, code)
    assert crm.get("/opportunities")["value"] == []


def test_the_message_for_a_long_text_names_column_table_and_length(crm: Crm) -> None:
    message = crm.api("POST", "/opportunities", {"name": "x" * 301}).json()["error"]["message"]
    assert message == (
        "A validation error occurred. The length of the 'name' attribute of the 'opportunity' entity exceeded the"
        " maximum allowed length of '300'."
    )


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("/accounts(00000000-0000-0000-0000-000000000001)", (404, "0x80040217")),
        ("/contacts(00000000-0000-0000-0000-000000000001)", (400, "0x80048d19")),
        ("/nowhere(00000000-0000-0000-0000-000000000001)", (404, "0x80060888")),
        ("/accounts(accountnumber='F-1')", (400, "0x80060888")),
        ("not a reference", (400, "0x80048d19")),
    ],
)
def test_a_bind_must_lead_to_a_row_of_the_right_table(crm: Crm, bind: str, expected: tuple[int, str]) -> None:
    answer = crm.api("POST", "/opportunities", {"name": "Deal", "parentaccountid@odata.bind": bind})
    assert crm.refused(answer) == expected


def test_a_bind_by_alternate_key_and_by_absolute_address(crm: Crm) -> None:
    row_id = crm.opportunity(cosell_referralidentifier="ref-1")
    for uri in (
        "/opportunities(cosell_referralidentifier='REF-1')",
        f"{crm.layout.dataverse_url}/api/data/v9.2/opportunities({row_id})",
        f"opportunities({row_id})",
    ):
        solution = crm.create("cosell_microsoftsolutions", **{"cosell_OpportunityId@odata.bind": uri})
        assert crm.get(f"/cosell_microsoftsolutions({solution})")["_cosell_opportunityid_value"] == row_id


def test_deleting_an_opportunity_takes_its_solutions_and_unlinks_the_rest(crm: Crm) -> None:
    row_id = crm.opportunity()
    parent = {"cosell_OpportunityId@odata.bind": f"/opportunities({row_id})"}
    solution = crm.create("cosell_microsoftsolutions", cosell_solutionid="SOL-1", **parent)
    connection = crm.create(
        "connections", name="c", **{"record1id_opportunity@odata.bind": f"/opportunities({row_id})"}
    )
    assert crm.api("DELETE", f"/opportunities({row_id})").status_code == 204
    assert crm.api("GET", f"/cosell_microsoftsolutions({solution})").status_code == 404
    assert crm.get(f"/connections({connection})")["_record1id_value"] is None


def test_privileges_of_the_connectors_role(crm: Crm) -> None:
    row_id = crm.opportunity()
    crm.sim("PUT", "/switches", {"denied_privileges": ["prvWriteOpportunity", "prvReadAccount"]})
    answer = crm.api("PATCH", f"/opportunities({row_id})", {"name": "x"}, If_Match="*")
    assert crm.refused(answer) == (403, "0x80040220")
    assert "prvWriteOpportunity" in answer.json()["error"]["message"]
    assert crm.refused(crm.api("GET", "/accounts")) == (403, "0x80040220")
    assert crm.api("GET", "/WhoAmI").status_code == 200, "needs no role"
    assert crm.seller("PATCH", f"/opportunities({row_id})", {"name": "x"}).status_code == 204
    assert crm.refused(crm.api("GET", "/WhoAmI", MSCRMCallerID=crm.layout.seller_user_id)) == (403, "0x80040220")


def test_who_may_call(crm: Crm) -> None:
    answer = crm.session.get(f"{crm.layout.dataverse_url}/api/data/v9.2/WhoAmI", timeout=10)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    me = crm.get("/WhoAmI")
    assert me["UserId"] == crm.layout.app_user_id
    assert me["OrganizationId"] == crm.layout.dataverse_organization_id
    user = f"/systemusers({crm.layout.app_user_id})"
    assert crm.seller("PATCH", user, {"isdisabled": True}).status_code == 204
    assert crm.refused(crm.api("GET", "/WhoAmI")) == (403, "0x80040225")
    crm.seller("PATCH", user, {"isdisabled": False, "applicationid": new_id()})
    assert crm.refused(crm.api("GET", "/WhoAmI")) == (403, "0x80072560")


def test_the_request_limit_is_a_sliding_window(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"requests_per_window": 3, "window_s": 300})
    crm.sim("POST", "/clock", {"advance_s": 301})
    left = [crm.api("GET", "/WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    answer = crm.api("GET", "/WhoAmI")
    assert crm.refused(answer) == (429, "0x80072322")
    assert 290 <= int(answer.headers["Retry-After"]) <= 301
    crm.sim("POST", "/clock", {"advance_s": int(answer.headers["Retry-After"])})
    assert crm.api("GET", "/WhoAmI").status_code == 200


def test_requests_counted_before_a_reset_do_not_count_after_it(crm: Crm) -> None:
    crm.sim("POST", "/clock", {"advance_s": 86_400})
    crm.api("GET", "/WhoAmI")
    crm.sim("POST", "/reset")
    crm.sim("PUT", "/switches", {"requests_per_window": 3, "window_s": 300})
    assert crm.api("GET", "/WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "2"


def test_another_users_edit_gets_in_between(crm: Crm) -> None:
    row_id = crm.opportunity(name="Mine", description="Before")
    read = crm.get(f"/opportunities({row_id})")
    edit = {"table": "opportunity", "id": row_id, "values": {"description": "Theirs"}, "times": 1}
    crm.sim("POST", "/interleave", edit)
    first = crm.api("PATCH", f"/opportunities({row_id})", {"name": "New"}, If_Match=read["@odata.etag"])
    assert crm.refused(first) == (412, "0x80060882")
    row = crm.get(f"/opportunities({row_id})")
    assert (row["name"], row["description"]) == ("Mine", "Theirs")
    assert row["_modifiedby_value"] == crm.layout.seller_user_id
    again = crm.api("PATCH", f"/opportunities({row_id})", {"name": "New"}, If_Match=row["@odata.etag"])
    assert again.status_code == 204


@pytest.mark.parametrize(
    ("limit", "code"), [("requests", "0x80072322"), ("time", "0x80072321"), ("concurrency", "0x80072326")]
)
def test_the_three_limits(crm: Crm, limit: str, code: str) -> None:
    crm.sim("PUT", "/switches", {"throttle": limit})
    crm.sim("POST", "/faults", {"kind": "status", "status": 429, "retry_after": 1, "times": 1, "path": "/api"})
    assert crm.refused(crm.api("GET", "/WhoAmI")) == (429, code)


def test_a_rule_of_the_customer_insists_on_a_column(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"required_columns": ["opportunity.new_contractkind"]})
    answer = crm.api("POST", "/opportunities", {"name": "Deal"})
    assert crm.refused(answer) == (400, "0x80040265")
    assert "new_contractkind" in answer.json()["error"]["message"]
    assert crm.opportunity(new_contractkind="Resale")


def test_the_owner_changes_but_never_vanishes(crm: Crm) -> None:
    row_id = crm.opportunity()
    seller = crm.layout.seller_user_id
    change = {"ownerid@odata.bind": f"/systemusers({seller})"}
    assert crm.api("PATCH", f"/opportunities({row_id})", change).status_code == 204
    row = crm.get(f"/opportunities({row_id})?$expand=owninguser($select=fullname),owningteam($select=name)")
    assert (row["_ownerid_value"], row["owninguser"]["fullname"], row["owningteam"]) == (seller, "Nora Lindqvist", None)
    answer = crm.api("PATCH", f"/opportunities({row_id})", {"ownerid@odata.bind": None})
    assert crm.refused(answer) == (400, "0x80040203")


@pytest.mark.parametrize(
    "path",
    [
        "/opportunities(",
        "/opportunities()",
        "/opportunities(1)",
        "/opportunities(name='x')",
        "/opportunities(a='x',b)",
        "/opportunities?$filter=((((",
        "/opportunities?$filter=" + "not " * 50,
        "/opportunities?$filter=name eq 'x' )",
        "/opportunities?$filter=createdon gt 2026-13-45T00:00:00Z",
        "/opportunities?$expand=parentaccountid($select",
        "/opportunities?$expand=parentaccountid(select=name)",
        "/opportunities?$orderby=name sideways",
        "/opportunities?$top=-1",
        "/opportunities?$skiptoken=%25%25",
        "/opportunities/name",
        "/Nothing",
        "/EntityDefinitions(LogicalName='opportunity')/Nothing",
        "/EntityDefinitions?$filter=length(x) gt 1",
        "/%00",
    ],
)
def test_addresses_that_cannot_be_read_are_refused_not_crashed_on(crm: Crm, path: str) -> None:
    status, code = crm.refused(crm.api("GET", path))
    assert status in (400, 404)
    assert code.startswith("0x")


@pytest.mark.parametrize("body", [[], "text", 5, {"name": {"nested": 1}}, {"@odata.type": 1, "x@odata.bind": 7}])
def test_bodies_that_cannot_be_read_are_refused(crm: Crm, body: Any) -> None:
    assert crm.refused(crm.api("POST", "/opportunities", body)) == (400, "0x80048d19")


def test_a_planted_fault_has_the_vendors_shape(crm: Crm) -> None:
    crm.sim("POST", "/faults", {"kind": "status", "status": 429, "retry_after": 2, "times": 1, "path": "/api"})
    answer = crm.api("GET", "/WhoAmI")
    assert crm.refused(answer) == (429, "0x80072322")
    assert answer.headers["Retry-After"] == "2"


def test_sellers_are_not_in_the_connectors_request_log(crm: Crm) -> None:
    crm.opportunity()
    crm.opportunity("seller")
    assert [entry["method"] for entry in crm.sim("GET", "/requests?method=POST")] == ["POST"]


def test_the_change_feed_has_each_row_once_and_the_deleted_ones(crm: Crm) -> None:
    start = crm.sim("GET", "/changes")["version"]
    kept, gone = crm.opportunity(), crm.opportunity()
    crm.api("PATCH", f"/opportunities({kept})", {"name": "Later"})
    crm.api("DELETE", f"/opportunities({gone})")
    feed = crm.sim("GET", f"/changes?since={start}")
    assert [(change["id"], change["row"] is None) for change in feed["changes"]] == [(kept, False), (gone, True)]
    assert feed["changes"][0]["row"]["name"] == "Later"
    assert crm.sim("GET", f"/changes?since={feed['version']}")["changes"] == []
    assert [row["id"] for row in crm.sim("GET", "/rows/opportunity")] == [kept]
