"""What only the real Partner Center client does: paging, spellings of filters, odd answers, links not to follow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.errors import Bug, DataProblem, Unavailable, UnknownOutcome
from shared.ports import PatchOperation
from tests.clients.scripted_server import Asked, Reply, ScriptedServer
from tests.clients.stubs import http_client

SINCE = datetime(2026, 3, 2, 9, 15, 30, 482193, tzinfo=UTC)
BAD_FILTER = Reply(400, b'{"error":{"code":"invalidRequest","message":"filter"}}')
LIST = "/v1.0/engagements/referrals"


def client(server: ScriptedServer) -> PartnerCenterClient:
    return PartnerCenterClient(http_client(server.url, PARTNER_CENTER, referral_headers))


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(body).encode(), headers)


def document(number: int, updated: str = "2026-03-02T10:00:00.1234567Z", **members: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "eTag": f'"{number}"', "updatedDateTime": updated, **members}


def page(*numbers: int, link: str | None = None) -> Reply:
    return reply({"value": [document(n) for n in numbers]} | ({"@odata.nextLink": link} if link else {}))


def options(asked: Asked) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(asked.path).query).items()}


# paging ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "link",
    [
        "http://api.partner.microsoft.com/v1.0/referrals?$skiptoken=opaque%2Btoken",
        "https://evil.example/steal?$skiptoken=opaque%2Btoken",
        "//169.254.169.254/x?$skiptoken=opaque%2Btoken",
        "?$skiptoken=opaque%2Btoken",
    ],
    ids=["as documented", "another host", "metadata address", "relative"],
)
def test_of_a_next_link_only_the_query_is_taken(link: str) -> None:
    with ScriptedServer(page(1, link=link), page(2)) as server:
        found = client(server).engagement("e1")
    assert [referral.id for referral in found] == ["r1", "r2"]
    second = server.asked[1]
    assert second.path == f"{LIST}?$skiptoken=opaque%2Btoken"
    assert second.headers["Authorization"] == "Bearer token"


def test_a_referral_that_moved_between_pages_comes_once() -> None:
    with ScriptedServer(page(1, 2, link="?p=2"), page(2, 3)) as server:
        assert [r.id for r in client(server).engagement("e1")] == ["r1", "r2", "r3"]


def test_a_list_that_repeats_itself_ends_with_an_error_after_what_was_read() -> None:
    with ScriptedServer(page(1, link="?p=2"), page(2, link="?p=3"), page(3, link="?p=2")) as server:
        found = client(server).updated_since(SINCE)
        assert [next(found).id for _ in range(3)] == ["r1", "r2", "r3"]
        with pytest.raises(Unavailable) as caught:
            next(found)
    assert caught.value.code == "PC_PAGES"
    assert len(server.asked) == 3


@pytest.mark.parametrize("body", [b'{"value": null}', b"{}", b'{"value": [null, 3, {}, {"id": ""}]}'])
def test_odd_pages_are_empty(body: bytes) -> None:
    with ScriptedServer(Reply(200, body)) as server:
        assert client(server).engagement("e1") == []


def test_a_page_that_is_no_object_is_unreadable() -> None:
    with ScriptedServer(Reply(200, b"[]")) as server, pytest.raises(Unavailable) as caught:
        client(server).engagement("e1")
    assert caught.value.code == "PC_UNREADABLE"


# spellings ------------------------------------------------------------------------------------------------------------
def test_what_changed_is_asked_oldest_first() -> None:
    with ScriptedServer(page(1)) as server:
        list(client(server).updated_since(SINCE))
    (asked,) = server.asked
    assert options(asked) == {
        "$filter": "updatedDateTime ge 2026-03-02T09:15:30Z",
        "$orderby": "updatedDateTime asc",
    }


def test_the_spelling_that_works_is_remembered() -> None:
    with ScriptedServer(BAD_FILTER, page(1)) as server:
        port = client(server)
        assert len(list(port.updated_since(SINCE))) == 1
        list(port.updated_since(SINCE))
    filters = [options(asked)["$filter"] for asked in server.asked]
    assert filters == [
        "updatedDateTime ge 2026-03-02T09:15:30Z",
        "updatedDateTime ge '2026-03-02T09:15:30Z'",
        "updatedDateTime ge '2026-03-02T09:15:30Z'",
    ]


def test_without_any_date_filter_the_list_is_read_backwards_to_the_moment() -> None:
    rows = [document(3, "2026-03-03T00:00:00Z"), document(2, "2026-03-02T09:15:30.482193Z")]
    older = [document(1, "2026-03-02T09:15:30.1Z"), document(0, "2025-01-01T00:00:00Z")]
    answers = [BAD_FILTER, BAD_FILTER, reply({"value": [*rows, *older], "@odata.nextLink": "?p=2"})]
    with ScriptedServer(*answers) as server:
        found = [referral.id for referral in client(server).updated_since(SINCE)]
    assert found == ["r2", "r3"]
    assert options(server.asked[-1]) == {"$orderby": "updatedDateTime desc"}
    assert len(server.asked) == 3, "older pages are not read"


def test_a_change_within_the_asked_second_but_before_the_moment_is_left_out() -> None:
    rows = [document(1, "2026-03-02T09:15:30.1Z"), document(2, "2026-03-02T09:15:31Z")]
    with ScriptedServer(reply({"value": rows})) as server:
        assert [referral.id for referral in client(server).updated_since(SINCE)] == ["r2"]


def test_the_crm_id_is_compared_here_when_the_service_cannot_filter_by_it() -> None:
    rows = [document(1, externalReferenceId="ABC"), document(2, externalReferenceId="other"), document(3)]
    with ScriptedServer(BAD_FILTER, reply({"value": rows})) as server:
        port = client(server)
        for _ in range(2):
            assert [r.id for r in port.find_by_external_reference("abc", SINCE)] == ["r1"]
    assert [options(asked)["$filter"][:17] for asked in server.asked] == [
        "externalReference",
        "updatedDateTime g",
        "updatedDateTime g",
    ]


def test_a_filter_that_the_service_ignores_finds_nothing_wrong() -> None:
    rows = [document(n, externalReferenceId=f"o{n}") for n in range(3)]
    with ScriptedServer(reply({"value": rows})) as server:
        assert [r.id for r in client(server).find_by_external_reference("o1", SINCE)] == ["r1"]


def test_a_service_that_refuses_every_spelling_is_reported() -> None:
    with ScriptedServer(BAD_FILTER) as server, pytest.raises(Bug) as caught:
        client(server).engagement("e1")
    assert caught.value.code == "PC_FILTER"


@pytest.mark.parametrize("text", ["O'Neil", "a b&c=d#e", "%27", "ü✔", "x' or true or 'x"])
def test_any_text_stays_inside_its_literal(text: str) -> None:
    with ScriptedServer(page()) as server:
        client(server).find_by_external_reference(text, SINCE)
    doubled = text.replace("'", "''")
    assert options(server.asked[0])["$filter"] == f"externalReferenceId eq '{doubled}'"


# answers --------------------------------------------------------------------------------------------------------------
def test_after_a_204_the_referral_is_read_again() -> None:
    change = [PatchOperation("replace", "/details/dealValue", Decimal("0.30"))]
    with ScriptedServer(Reply(204, b""), reply(document(1))) as server:
        assert client(server).patch("r1", change, '"0"').e_tag == '"1"'
    patch, get = server.asked
    assert (patch.method, get.method, get.path) == ("PATCH", "GET", f"{LIST}/r1")
    assert patch.headers["If-Match"] == '"0"'
    assert patch.headers["Prefer"] == "return=representation"
    assert patch.headers["Content-Type"] == "application/json"
    assert patch.body == b'[{"op":"replace","path":"/details/dealValue","value":0.30}]'


def test_without_an_etag_no_precondition_is_sent() -> None:
    with ScriptedServer(reply(document(1))) as server:
        client(server).patch("r1", [PatchOperation("replace", "/name", "x")], None)
    assert "If-Match" not in server.asked[0].headers


@pytest.mark.parametrize("status", [200, 201, 202])
def test_created_is_created_whatever_the_status(status: int) -> None:
    body = {key: value for key, value in document(1).items() if key != "eTag"}
    with ScriptedServer(reply(body, status, ETag='"from-the-header"')) as server:
        created = client(server).create({"name": "x"})
    assert (created.id, created.e_tag) == ("r1", '"from-the-header"')


@pytest.mark.parametrize("answer", [Reply(202, b""), Reply(201, b"{}"), Reply(200, b'"r1"')])
def test_created_without_an_id_has_to_be_looked_up(answer: Reply) -> None:
    with ScriptedServer(answer) as server, pytest.raises(UnknownOutcome):
        client(server).create({"name": "x"})
    assert len(server.asked) == 1


def test_an_id_cannot_leave_its_place_in_the_url() -> None:
    with ScriptedServer(reply(document(1))) as server:
        client(server).get("../../x?y#z")
    assert server.asked[0].path == f"{LIST}/..%2F..%2Fx%3Fy%23z"


def test_a_refusal_keeps_the_vendors_words_for_the_audit_line_only() -> None:
    words = "The field '/customerProfile/name' of Northgate is required."
    refusal = reply({"error": {"code": "invalidRequest", "message": words}}, 422)
    with ScriptedServer(refusal) as server, pytest.raises(DataProblem) as caught:
        client(server).create({"name": "x"})
    assert caught.value.detail == words
    assert "Northgate" not in str(caught.value)
