"""The simulated list of referrals: options, filters, pages, lag (behaviour S7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from tests.sandbox.partner_center_deals import create, create_co_sell, replace
from tests.sandbox.partner_center_fixture import JSON, REFERRALS, Cloud, until

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


def listed(cloud: Cloud, **options: str) -> list[JSON]:
    answer = cloud.api("GET", REFERRALS + "?" + "&".join(f"${name}={value}" for name, value in options.items()))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


def names(cloud: Cloud, **options: str) -> set[str]:
    return {row["name"] for row in listed(cloud, **options)}


@pytest.fixture
def three(fresh_cloud: Cloud) -> tuple[Cloud, JSON, JSON, JSON]:
    """A shared deal with Microsoft's record, a private German one, an inbound one that waits."""
    shared, _ = create_co_sell(fresh_cloud, name="Shared", externalReferenceId="crm-1")
    private = create(
        fresh_cloud,
        name="Private",
        type="Independent",
        customerProfile={"address": {"country": "DE"}},
        team=[{"firstName": "M", "lastName": "L", "phoneNumber": "1", "email": "o'maja@fjordvik.example"}],
        consent={"consentToShareReferralWithMicrosoftSellers": False},
    )
    inbound = fresh_cloud.sim("POST", "/inbound", {"name": "Inbound", "kind": "lead"})
    return fresh_cloud, shared, private, inbound


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("status eq 'New' and substatus eq 'Pending'", {"Inbound"}),
        ("status ne 'New'", {"Shared", "Private"}),
        ("not status eq 'New'", {"Shared", "Private"}),
        ("type eq 'Shared' or status eq 'New'", {"Shared", "Inbound"}),
        ("(type eq 'Shared' or status eq 'New') and direction eq 'Incoming'", {"Inbound"}),
        ("qualification eq 'MarketingQualified'", {"Inbound"}),
        ("customerProfile/address/country eq 'DE'", {"Private"}),
        ("team/any(t:t/email eq 'O''MAJA@fjordvik.example')", {"Private"}),
        ("team/any(m : m/email eq 'nobody@fjordvik.example')", set()),
        ("email eq 'aksel.dahl@fjordvik.example'", {"Shared", "Inbound"}),
        ("externalReferenceId eq 'crm-1'", {"Shared"}),
        ("updatedDateTime ge 2020-01-01T00:00:00Z", {"Shared", "Private", "Inbound"}),
        ("updatedDateTime gt '2020-01-01T00:00:00Z'", {"Shared", "Private", "Inbound"}),
        ("updatedDateTime lt 2020-01-01", set()),
    ],
)
def test_filters(three: tuple[Cloud, JSON, JSON, JSON], expression: str, expected: set[str]) -> None:
    assert names(three[0], filter=expression) == expected


@pytest.mark.parametrize("quote", ["'", ""])
def test_an_engagement_holds_both_records(three: tuple[Cloud, JSON, JSON, JSON], quote: str) -> None:
    cloud, shared, *_ = three
    rows = listed(cloud, filter=f"engagementId eq {quote}{shared['engagementId']}{quote}")
    assert {row["organizationId"] for row in rows} == {cloud.layout.organization_id, "msft"}
    assert shared["links"]["relatedReferrals"]["uri"].endswith(f"engagementId eq {shared['engagementId']}")


def test_microsofts_records_are_not_in_the_full_list_unless_switched(three: tuple[Cloud, JSON, JSON, JSON]) -> None:
    cloud = three[0]
    assert len(listed(cloud)) == 3
    cloud.sim("PUT", "/quirks", {"microsoft_in_full_list": True})
    assert len(listed(cloud)) == 4


@pytest.mark.parametrize(
    "query",
    [
        "$filter=name eq 'Shared'",
        "$filter=createdDateTime gt 2020-01-01T00:00:00Z",
        "$filter=status gt 'New'",
        "$filter=status like 'New'",
        "$filter=status eq 'New",
        "$filter=status eq",
        "$filter=(status eq 'New'",
        "$filter=status eq 'New' 'x'",
        "$filter=updatedDateTime gt yesterday",
        "$filter=team/any(t:t/phone eq 'x')",
        "$filter=" + "(" * 500,
        "$orderby=name",
        "$orderby=updatedDateTime sideways",
        "$top=-1",
        "$top=ten",
        "$count=maybe",
        "$select=secret",
        "$expand=team",
        "$search=x",
        "$skiptoken=!!!",
        "$skiptoken=bm90IGpzb24",
    ],
)
def test_options_that_are_refused(fresh_cloud: Cloud, query: str) -> None:
    answer = fresh_cloud.api("GET", f"{REFERRALS}?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalidRequest")
    assert error["target"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("quirks", "expression"),
    [
        ({"external_reference_filter": False}, "externalReferenceId eq 'crm-1'"),
        ({"date_literals": "unquoted"}, "updatedDateTime gt '2020-01-01T00:00:00Z'"),
        ({"date_literals": "quoted"}, "updatedDateTime gt 2020-01-01T00:00:00Z"),
        ({"date_literals": "refused"}, "updatedDateTime gt 2020-01-01T00:00:00Z"),
    ],
)
def test_what_is_undocumented_can_be_refused(fresh_cloud: Cloud, quirks: JSON, expression: str) -> None:
    assert listed(fresh_cloud, filter=expression) == []
    fresh_cloud.sim("PUT", "/quirks", quirks)
    assert fresh_cloud.api("GET", f"{REFERRALS}?$filter={expression}").status_code == 400


def test_order_top_skip_count_and_select(three: tuple[Cloud, JSON, JSON, JSON]) -> None:
    cloud, shared, *_ = three
    in_order = [row["name"] for row in listed(cloud, orderby="createdDateTime asc")]
    assert in_order == ["Shared", "Private", "Inbound"]
    cloud.api("PATCH", f"{REFERRALS}/{shared['id']}", [replace("/campaignId", "C1")])
    assert [row["name"] for row in listed(cloud, orderby="updatedDateTime desc")] == ["Shared", "Inbound", "Private"]
    assert [row["name"] for row in listed(cloud, orderby="createdDateTime", skip="1", top="1")] == ["Private"]
    assert [set(row) for row in listed(cloud, select="id,eTag", top="1")] == [{"id", "eTag"}]
    assert cloud.api("GET", REFERRALS + "?$count=true&$top=2").json()["@odata.count"] == 2


@pytest.mark.parametrize("form", ["same_path", "as_documented"])
def test_pages(fresh_cloud: Cloud, form: str) -> None:
    made = [create(fresh_cloud, name=f"Deal {number}")["id"] for number in range(5)]
    fresh_cloud.sim("PUT", "/quirks", {"page_size": 2, "next_link": form})
    path = f"{REFERRALS}?$orderby=createdDateTime asc&$filter=status eq 'Active'"
    seen: list[str] = []
    sizes: list[int] = []
    while path:
        page = fresh_cloud.api("GET", path).json()
        seen += [row["id"] for row in page["value"]]
        sizes.append(len(page["value"]))
        link = urlsplit(page.get("@odata.nextLink", ""))
        path = f"{REFERRALS}?{link.query}" if link.query else ""
        if link.query:
            documented = (link.scheme, link.path) == ("http", "/v1.0/referrals")
            assert documented == (form == "as_documented")
            assert documented or (link.scheme, link.path) == ("https", REFERRALS)
    assert (seen, sizes) == (made, [2, 2, 1])
    assert len(listed(fresh_cloud, top="4")) == 4


def test_the_list_may_lag_behind_writes(fresh_cloud: Cloud) -> None:
    own = create(fresh_cloud, name="Before")
    fresh_cloud.sim("PUT", "/quirks", {"list_lag_s": 60})
    assert listed(fresh_cloud) == []
    fresh_cloud.sim("POST", "/clock", {"advance_s": 61})
    fresh_cloud.api("PATCH", f"{REFERRALS}/{own['id']}", [replace("/name", "After")])
    assert fresh_cloud.api("GET", f"{REFERRALS}/{own['id']}").json()["name"] == "After"
    assert names(fresh_cloud) == {"Before"}
    fresh_cloud.sim("POST", "/clock", {"advance_s": 61})
    assert until(lambda: names(fresh_cloud)) == {"After"}


def test_a_watermark_finds_what_changed_since(three: tuple[Cloud, JSON, JSON, JSON]) -> None:
    cloud, shared, *_ = three
    cloud.sim("POST", "/clock", {"advance_s": 3600})
    cloud.api("PATCH", f"{REFERRALS}/{shared['id']}", [replace("/campaignId", "C1")])
    watermark = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert names(cloud, filter=f"updatedDateTime ge {watermark}") == {"Shared"}
