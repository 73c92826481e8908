"""Any text is data in a URL, never syntax: the one encoder, and both clients up to the bytes on the socket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.odata import literal, query, query_of, segment
from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.errors import NotFound, Unavailable
from shared.ports import Condition
from tests.clients.scripted_server import Reply, ScriptedServer
from tests.clients.stubs import http_client

KINDS = Reply(200, json.dumps({"value": [{"LogicalName": "name", "AttributeType": "String"}]}).encode())
EMPTY = Reply(200, b'{"value": []}')
NASTY = [
    "O'Brien",
    "''",
    "' or 1 eq 1 or name eq '",
    "50 % & more #1 + 1 = 2? /\\",
    "line\nbreak\r\n\ttab",
    "x&$top=9999&$filter=name ne ''",
    "\ud800 half \udfff",
    "\0 nul",
    "✔ ünïcödé 𝕏 \u202e",
    "a/../b",
    "%27 or 1 eq 1",
    "；＇",
    "",
    " ",
]
ANY = st.text(st.characters(codec=None, categories=None), max_size=60) | st.sampled_from(NASTY)
"""Surrogates, control characters and unassigned ones included."""
SYNTAX = set(" '\"#&+=?/\\()<>{}|^`\r\n\t\0")


def as_sent(text: str) -> str:
    """What a URL can carry of it."""
    return text.encode("utf-8", "replace").decode()


@given(ANY)
def test_a_literal_ends_where_it_was_meant_to(text: str) -> None:
    inside = literal(text)[1:-1]
    assert inside.replace("''", "") == text.replace("'", ""), "every quote is doubled"
    assert inside.replace("''", "'") == text


@given(ANY, ANY)
def test_an_option_stays_one_option(first: str, second: str) -> None:
    encoded = query({"filter": first, "orderby": second})
    names = encoded.removeprefix("?").split("&")
    assert [name.split("=")[0] for name in names] == ["$filter", "$orderby"]
    for pair, text in zip(names, (first, second), strict=True):
        value = pair.split("=", 1)[1]
        assert value.isascii()
        assert not set(value) & SYNTAX
        assert unquote(value) == as_sent(text)


@given(ANY.filter(lambda text: text.strip(".")))
def test_a_segment_stays_one_segment(text: str) -> None:
    encoded = segment(text)
    assert not set(encoded) & SYNTAX
    assert unquote(encoded) == as_sent(text)


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_what_means_another_place_is_no_segment(text: str) -> None:
    with pytest.raises(ValueError, match="not a segment"):
        segment(text)
    with ScriptedServer() as server, pytest.raises(NotFound):
        PartnerCenterClient(http_client(server.url, PARTNER_CENTER, referral_headers)).get(text)
    assert server.asked == []


def by_name(server: ScriptedServer, text: str) -> None:
    server.answers[:] = [KINDS, EMPTY]
    DataverseClient(http_client(server.url, DATAVERSE, dataverse_headers)).find(
        "account", [Condition("name", text), Condition("statecode", 0)], ["name"]
    )


def by_reference(server: ScriptedServer, text: str) -> None:
    server.answers[:] = [EMPTY]
    client = PartnerCenterClient(http_client(server.url, PARTNER_CENTER, referral_headers))
    client.engagement(text)


SENDERS: dict[str, tuple[Callable[[ScriptedServer, str], None], Callable[[str], str]]] = {
    "Dataverse": (by_name, lambda text: f"name eq {literal(text)} and statecode eq 0"),
    "Partner Center": (by_reference, lambda text: f"engagementId eq {literal(text)}"),
}


@pytest.mark.parametrize("vendor", SENDERS)
@settings(max_examples=60, deadline=None)
@given(text=ANY)
def test_the_filter_arrives_as_it_was_meant(vendor: str, text: str) -> None:
    send, expected = SENDERS[vendor]
    with ScriptedServer() as server:
        send(server, text)
    target = urlsplit(server.asked[-1].path)
    options = dict(parse_qsl(target.query, keep_blank_values=True, strict_parsing=True))
    assert options["$filter"] == as_sent(expected(text))
    assert set(options) <= {"$filter", "$select", "$orderby", "$top"}
    assert target.path.endswith(("/accounts", "/referrals"))


def test_nothing_else_encodes_urls() -> None:
    sources = (Path(__file__).parents[2] / "shared").rglob("*.py")
    users = {source.name for source in sources if re.search(r"\b(quote|quote_plus|urlencode)\(", source.read_text())}
    assert users == {"odata.py"}


# links in answers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("link", ["", "https://evil.example/x", "https://[::1", 7, {"href": "x"}, "#?x"])
def test_a_link_that_asks_nothing_is_refused(link: Any) -> None:
    with pytest.raises(ValueError, match=r"not a link|Invalid"):
        query_of(link)


def page(link: Any) -> Reply:
    return Reply(200, json.dumps({"value": [], "@odata.nextLink": link}).encode())


@pytest.mark.parametrize("link", ["https://evil.example/x", "https://[::1", "?again=1"])
def test_a_list_that_does_not_go_on_ends(link: str) -> None:
    """Without its query a page would be the whole table; with the same query for ever it would never end."""
    with ScriptedServer(KINDS, page(link)) as server, pytest.raises(Unavailable):
        DataverseClient(http_client(server.url, DATAVERSE, dataverse_headers)).find("account", [], ["name"])
    assert len(server.asked) <= 3
    with ScriptedServer(page(link)) as server, pytest.raises(Unavailable):
        PartnerCenterClient(http_client(server.url, PARTNER_CENTER, referral_headers)).engagement("x")
    assert len(server.asked) <= 2
