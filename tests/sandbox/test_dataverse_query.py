"""Lists, filters, expansion, paging, formats and annotations of the simulated Web API."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.sandbox.dataverse_fixture import Crm

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]
ALL_ANNOTATIONS = {"Prefer": 'odata.include-annotations="*"'}


def names(crm: Crm, query: str, set_name: str = "opportunities") -> list[str]:
    encoded = quote(query, safe="$=&")
    return [row["name"] for row in crm.get(f"/{set_name}?$select=name&{encoded}")["value"]]


@pytest.fixture
def deals(crm: Crm) -> Crm:
    """Three deals that differ in everything a filter can ask for."""
    contoso = crm.create("accounts", name="Contoso", address1_city="Oslo")
    crm.opportunity(
        name="Alpha",
        estimatedvalue=100.5,
        estimatedclosedate="2026-10-30",
        cosell_syncwithpartnercenter=True,
        cosell_referralidentifier="ref-a",
        cosell_respondby="2026-05-01T08:00:00+02:00",
        salesstage=0,
        **{"parentaccountid@odata.bind": f"/accounts({contoso})"},
    )
    crm.opportunity(name="beta's deal", estimatedvalue=2000, estimatedclosedate="2026-11-30", salesstage=2)
    crm.opportunity(name="GAMMA & sons")
    return crm


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name eq 'ALPHA'", ["Alpha"]),
        ("name eq 'Alpha  '", ["Alpha"]),
        ("name eq 'beta''s deal'", ["beta's deal"]),
        ("name ne 'Alpha'", ["GAMMA & sons", "beta's deal"]),
        ("estimatedvalue ge 100.5", ["Alpha", "beta's deal"]),
        ("estimatedvalue gt 100.5", ["beta's deal"]),
        ("estimatedvalue lt 2000 and estimatedvalue gt -1", ["Alpha"]),
        ("estimatedvalue eq null", ["GAMMA & sons"]),
        ("estimatedvalue ne null", ["Alpha", "beta's deal"]),
        ("cosell_referralidentifier ne 'ref-a'", ["GAMMA & sons", "beta's deal"]),
        ("estimatedclosedate eq 2026-10-30", ["Alpha"]),
        ("estimatedclosedate gt 2026-10-30", ["beta's deal"]),
        ("cosell_respondby eq 2026-05-01T06:00:00Z", ["Alpha"]),
        ("cosell_respondby le 2026-05-01T06:00:00.000Z", ["Alpha"]),
        ("createdon gt 2000-01-01T00:00:00Z", ["Alpha", "GAMMA & sons", "beta's deal"]),
        ("cosell_syncwithpartnercenter eq true", ["Alpha"]),
        ("salesstage eq 2", ["beta's deal"]),
        ("not (salesstage eq 2)", ["Alpha", "GAMMA & sons"]),
        ("contains(name,'DEAL')", ["beta's deal"]),
        ("startswith(name,'al') or endswith(name,'sons')", ["Alpha", "GAMMA & sons"]),
        ("(name eq 'Alpha' or salesstage eq 2) and estimatedvalue gt 1000", ["beta's deal"]),
        ("name eq 'Alpha' or salesstage eq 2 and estimatedvalue gt 5000", ["Alpha"]),
        ("parentaccountid/name eq 'contoso'", ["Alpha"]),
        ("_parentaccountid_value ne null", ["Alpha"]),
        ("Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['alpha','x'])", ["Alpha"]),
    ],
)
def test_filters(deals: Crm, condition: str, expected: list[str]) -> None:
    assert sorted(names(deals, f"$filter={condition}")) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$filter=nothere eq 1", "0x80060888"),
        ("$filter=customerid eq null", "0x80060888"),
        ("$filter=name eq 5", "0x80060888"),
        ("$filter=salesstage eq 'x'", "0x80060888"),
        ("$filter=name eq", "0x80060888"),
        ("$filter=name eq 'x", "0x80060888"),
        ("$filter=length(name) eq 3", "0x80060888"),
        ("$select=nothere", "0x80060888"),
        ("$orderby=nothere", "0x80060888"),
        ("$expand=nothere", "0x80060888"),
        ("$expand=parentaccountid($select=nothere)", "0x80060888"),
        ("$expand=ownerid($select=fullname)", "0x80060888"),
        ("$search=x", "0x80060888"),
    ],
)
def test_what_cannot_be_asked(crm: Crm, query: str, code: str) -> None:
    assert crm.refused(crm.api("GET", f"/opportunities?{quote(query, safe='$=')}")) == (400, code)


def test_order_top_and_count(deals: Crm) -> None:
    assert names(deals, "$orderby=name desc") == ["GAMMA & sons", "beta's deal", "Alpha"]
    assert names(deals, "$orderby=estimatedvalue,name&$top=2") == ["GAMMA & sons", "Alpha"], "empty values come first"
    assert deals.get("/opportunities?$count=true&$top=1")["@odata.count"] == 3
    assert deals.api("GET", "/opportunities/$count").text == "3"


def test_pages_follow_one_another_until_all_rows_were_seen(crm: Crm) -> None:
    for number in range(7):
        crm.opportunity(name=f"Deal {number}")
    page = crm.get("/opportunities?$select=name&$orderby=name", Prefer="odata.maxpagesize=3")
    seen, sizes = [row["name"] for row in page["value"]], [len(page["value"])]
    while "@odata.nextLink" in page:
        assert page["@odata.nextLink"].startswith(
            f"{crm.layout.dataverse_url}/api/data/v9.2/opportunities?$select=name"
        )
        path = page["@odata.nextLink"].removeprefix(f"{crm.layout.dataverse_url}/api/data/v9.2")
        page = crm.get(path, Prefer="odata.maxpagesize=3")
        seen += [row["name"] for row in page["value"]]
        sizes.append(len(page["value"]))
    assert seen == [f"Deal {number}" for number in range(7)]
    assert sizes == [3, 3, 1]


def test_formats_of_values(crm: Crm) -> None:
    row_id = crm.opportunity(
        estimatedvalue=125000, estimatedclosedate="2026-10-30", cosell_respondby="2026-05-04T09:15:26.789+00:00"
    )
    row = crm.get(f"/opportunities({row_id})")
    assert row["estimatedvalue"] == 125000.0
    assert row["estimatedclosedate"] == "2026-10-30"
    assert row["cosell_respondby"] == "2026-05-04T09:15:26Z"
    assert row["_ownerid_value"] == row["_ownerid_value"].lower()
    assert not [name for name in row if "@" in name.removeprefix("@odata.") and not name.startswith("@odata.")]


def test_annotations_only_when_asked(crm: Crm) -> None:
    account = crm.create("accounts", name="Fabrikam, Inc.")
    row_id = crm.opportunity(
        estimatedvalue=125000,
        estimatedclosedate="2026-10-30",
        cosell_dealtype=100000002,
        **{"customerid_account@odata.bind": f"/accounts({account})"},
    )
    columns = "estimatedvalue,estimatedclosedate,statecode,cosell_dealtype,_customerid_value"
    path = f"/opportunities({row_id})?$select={columns}"
    formatted = "@OData.Community.Display.V1.FormattedValue"
    row = crm.get(path, **ALL_ANNOTATIONS)
    assert row[f"estimatedvalue{formatted}"] == "$125,000.00"
    assert row[f"estimatedclosedate{formatted}"] == "10/30/2026"
    assert row[f"statecode{formatted}"] == "Open"
    assert row[f"cosell_dealtype{formatted}"] == "Co-sell"
    assert row[f"_customerid_value{formatted}"] == "Fabrikam, Inc."
    assert row["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    only = crm.get(path, Prefer='odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"')
    assert [name for name in only if formatted in name] == []
    assert only["_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"


def test_expanding_lookups_and_children(crm: Crm) -> None:
    row_id = crm.opportunity()
    parent = {"cosell_OpportunityId@odata.bind": f"/opportunities({row_id})"}
    for number in (2, 1):
        crm.create("cosell_microsoftsolutions", cosell_name=f"S{number}", cosell_solutionid=f"SOL-{number}", **parent)
    crm.create("cosell_microsoftsolutions", cosell_name="of nobody")
    expand = (
        "transactioncurrencyid($select=isocurrencycode,currencyprecision),parentaccountid($select=name),"
        "owninguser($select=fullname,internalemailaddress),"
        "cosell_opportunity_microsoftsolution($select=cosell_name;$orderby=cosell_name)"
    )
    row = crm.get(f"/opportunities({row_id})?$select=name&$expand={expand}")
    assert row["transactioncurrencyid"]["isocurrencycode"] == "USD"
    assert row["parentaccountid"] is None
    assert row["owninguser"]["internalemailaddress"] == "cosell-sync@fjordvik.example"
    assert [child["cosell_name"] for child in row["cosell_opportunity_microsoftsolution"]] == ["S1", "S2"]
    listed = crm.get(f"/opportunities?$select=name&$expand={expand}")["value"][0]
    assert listed["cosell_opportunity_microsoftsolution"] == row["cosell_opportunity_microsoftsolution"]
    children = crm.get(f"/opportunities({row_id})/cosell_opportunity_microsoftsolution?$select=cosell_name")
    assert len(children["value"]) == 2
    having = quote("cosell_opportunity_microsoftsolution/any(s:s/cosell_solutionid eq 'sol-1')")
    assert len(crm.get(f"/opportunities?$filter={having}")["value"]) == 1


def test_a_known_version_is_not_sent_again(crm: Crm) -> None:
    row_id = crm.opportunity()
    etag = crm.get(f"/opportunities({row_id})")["@odata.etag"]
    assert crm.api("GET", f"/opportunities({row_id})", If_None_Match=etag).status_code == 304
    assert crm.api("GET", f"/opportunities({row_id})", If_None_Match="null").status_code == 200
    assert crm.api("GET", f"/opportunities({row_id})", If_None_Match=etag, **ALL_ANNOTATIONS).status_code == 200
    crm.api("PATCH", f"/opportunities({row_id})", {"name": "x"})
    assert crm.api("GET", f"/opportunities({row_id})", If_None_Match=etag).status_code == 200


def test_any_text_survives_being_written_found_and_read(crm: Crm) -> None:
    for text in ("O'Brien & Söhne", "100% + more", "a/b?c=d#e", "日本語 😀", "quote'' twice", "tab\tline\nend"):
        row_id = crm.opportunity(name=text)
        condition = quote("name eq '" + text.replace("'", "''") + "'", safe="")
        found = crm.get(f"/opportunities?$select=name&$filter={condition}")["value"]
        assert [(row["opportunityid"], row["name"]) for row in found] == [(row_id, text)]


def test_the_customer_lookup_keeps_in_step_with_its_parents(crm: Crm) -> None:
    account, contact = crm.create("accounts", name="A"), crm.create("contacts", firstname="Kim", lastname="Berg")
    row_id = crm.opportunity(**{"parentaccountid@odata.bind": f"/accounts({account})"})
    assert crm.get(f"/opportunities({row_id})")["_customerid_value"] == account
    crm.api("PATCH", f"/opportunities({row_id})", {"customerid_contact@odata.bind": f"/contacts({contact})"})
    row = crm.get(
        f"/opportunities({row_id})?$expand=customerid_contact($select=fullname),customerid_account($select=name)"
    )
    assert (row["_customerid_value"], row["_parentcontactid_value"]) == (contact, contact)
    assert row["customerid_contact"]["fullname"] == "Kim Berg"
    assert row["customerid_account"] is None


def test_environment_variables_and_their_current_value(crm: Crm) -> None:
    collection = "environmentvariabledefinition_environmentvariablevalue"
    path = f"/environmentvariabledefinitions?$select=schemaname,defaultvalue&$expand={collection}($select=value)"
    by_name = {row["schemaname"]: row for row in crm.get(path)["value"]}
    assert by_name["cosell_DealValueColumn"]["defaultvalue"] == "estimatedvalue"
    assert by_name["cosell_DealValueColumn"][collection] == []
    definition = by_name["cosell_DealValueColumn"]["environmentvariabledefinitionid"]
    bind = {"EnvironmentVariableDefinitionId@odata.bind": f"/environmentvariabledefinitions({definition})"}
    crm.create("environmentvariablevalues", "seller", value="new_tcv", **bind)
    by_name = {row["schemaname"]: row for row in crm.get(path)["value"]}
    assert [value["value"] for value in by_name["cosell_DealValueColumn"][collection]] == ["new_tcv"]
