"""What only the real Dataverse client does: headers, encoding, paging, names held against the connector's schema."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from shared.clients import dataverse_query as odata
from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.dataverse_tables import TABLES
from shared.errors import Bug, ConfigurationError, Unavailable, UnknownOutcome
from shared.ports import Condition, Lookup
from tests.clients.scripted_server import Reply, ScriptedServer
from tests.clients.stubs import http_client

SCHEMA = tomllib.loads((Path(__file__).parents[2] / "infra/dataverse/schema.toml").read_text(encoding="utf-8"))
ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"
KINDS = {"value": [{"LogicalName": "name", "AttributeType": "String"}]}


def client(server: ScriptedServer) -> DataverseClient:
    return DataverseClient(http_client(server.url, DATAVERSE, dataverse_headers))


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(body).encode(), headers)


# headers --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("etag", "sent"), [('W/"7712345"', 'W/"7712345"'), (None, "*")])
def test_an_update_always_has_a_precondition_and_the_tag(etag: str | None, sent: str) -> None:
    with ScriptedServer(Reply(204, b"")) as server:
        client(server).update("opportunity", ROW, {"estimatedvalue": Decimal("0.10")}, etag)
    (asked,) = server.asked
    assert asked.path == f"/api/data/v9.2/opportunities({ROW})?tag=cosell-sync"
    assert asked.headers["If-Match"] == sent
    assert asked.headers["OData-Version"] == asked.headers["OData-MaxVersion"] == "4.0"
    assert asked.body == b'{"estimatedvalue":0.10}'


def test_reads_go_past_caches_and_writes_do_not_say_so() -> None:
    answers = [reply(KINDS), reply({"opportunityid": ROW}), Reply(204, b"", {"OData-EntityId": f"x({ROW})"})]
    with ScriptedServer(*answers) as server:
        port = client(server)
        port.get("opportunity", ROW, ["name"])
        port.create("opportunity", {"name": "x"})
    _, read, write = server.asked
    assert read.headers["If-None-Match"] == "null"
    assert "lookuplogicalname" in read.headers["Prefer"]
    assert "If-None-Match" not in write.headers
    assert write.path == "/api/data/v9.2/opportunities?tag=cosell-sync"


def test_the_new_rows_id_comes_from_the_header() -> None:
    where = f"https://x.crm.dynamics.com/api/data/v9.2/opportunities({ROW.upper()})"
    with ScriptedServer(Reply(204, b"", {"OData-EntityId": where})) as server:
        assert client(server).create("opportunity", {}) == ROW
    with ScriptedServer(Reply(204, b"")) as server, pytest.raises(UnknownOutcome):
        client(server).create("opportunity", {})


# bodies ---------------------------------------------------------------------------------------------------------------
def test_lookups_are_bound_by_their_navigation_name() -> None:
    body = odata.body(
        "opportunity",
        {
            "customerid": Lookup("contact", ROW),
            "parentaccountid": Lookup("account", ROW),
            "transactioncurrencyid": None,
            "ownerid": Lookup("team", ROW),
        },
    )
    assert body == {
        "customerid_contact@odata.bind": f"/contacts({ROW})",
        "parentaccountid@odata.bind": f"/accounts({ROW})",
        "transactioncurrencyid@odata.bind": None,
        "ownerid@odata.bind": f"/teams({ROW})",
    }
    solution = odata.body("cosell_microsoftsolution", {"cosell_opportunityid": Lookup("opportunity", ROW)})
    assert solution == {"cosell_OpportunityId@odata.bind": f"/opportunities({ROW})"}
    note = odata.body("annotation", {"objectid": Lookup("opportunity", ROW)})
    assert note == {"objectid_opportunity@odata.bind": f"/opportunities({ROW})"}


def test_moments_are_written_in_utc_without_a_fraction() -> None:
    moment = datetime.fromisoformat("2026-03-02T10:15:30.482193+02:00")
    assert odata.body("opportunity", {"cosell_respondby": moment}) == {
        "cosell_respondby": datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)
    }


@pytest.mark.parametrize(
    "call",
    [
        lambda: odata.body("opportunity", {"customerid": Lookup("systemuser", ROW)}),
        lambda: odata.body("opportunity", {"customerid": ROW}),
        lambda: odata.body("opportunity", {"name": Lookup("account", ROW)}),
        lambda: odata.where("opportunity", [Condition("name", "x", "like")]),
        lambda: odata.where("opportunity", [Condition("opportunityid", "x' or 1 eq 1")]),
        lambda: odata.row_path("opportunity", "1) or ("),
        lambda: odata.navigations("opportunity", "name"),
        lambda: odata.select("nosuchtable", []),
    ],
)
def test_what_cannot_be_said_is_not_said(call: Any) -> None:
    with pytest.raises(Bug):
        call()


# queries --------------------------------------------------------------------------------------------------------------
def test_conditions_are_typed() -> None:
    moment = datetime(2026, 3, 2, 9, 15, 30, tzinfo=UTC)
    conditions = [
        Condition("customerid", Lookup("account", ROW)),
        Condition("parentcontactid", ROW.upper()),
        Condition("opportunityid", ROW, "ne"),
        Condition("estimatedvalue", Decimal("1E+3"), "ge"),
        Condition("cosell_syncwithpartnercenter", True),
        Condition("modifiedon", moment, "ge"),
        Condition("estimatedclosedate", moment.date(), "lt"),
        Condition("description", None, "ne"),
        Condition("cosell_referralidentifier", ROW),
    ]
    assert odata.where("opportunity", conditions).split(" and ") == [
        f"_customerid_value eq {ROW}",
        f"_parentcontactid_value eq {ROW}",
        f"opportunityid ne {ROW}",
        "estimatedvalue ge 1000",
        "cosell_syncwithpartnercenter eq true",
        "modifiedon ge 2026-03-02T09:15:30Z",
        "estimatedclosedate lt 2026-03-02",
        "description ne null",
        f"cosell_referralidentifier eq '{ROW}'",
    ]


def test_long_lists_are_read_page_by_page_from_our_own_host() -> None:
    def page(count: int, link: str | None) -> Reply:
        rows = [{"accountid": str(uuid.uuid4()), "name": "x"} for _ in range(count)]
        return reply({"value": rows} | ({"@odata.nextLink": link} if link else {}))

    steal = "https://evil.example/api/data/v9.2/accounts?$select=name&$skiptoken=2"
    with ScriptedServer(reply(KINDS), page(3, steal), page(3, steal.replace("=2", "=3")), page(1, None)) as server:
        assert len(client(server).find("account", [], ["name"], limit=5001)) == 7
    paths = [asked.path for asked in server.asked[1:]]
    assert "$top" not in unquote(paths[0])
    assert paths[1] == "/api/data/v9.2/accounts?$select=name&$skiptoken=2"
    assert urlsplit(paths[2]).query.endswith("=3")


def test_short_lists_say_how_many() -> None:
    with ScriptedServer(reply(KINDS), reply({"value": []})) as server:
        client(server).find("account", [], ["name"], order_by="name desc", limit=2)
    assert "$orderby=name desc&$top=2" in unquote(server.asked[1].path)


def test_metadata_of_a_table_are_read_once() -> None:
    with ScriptedServer(reply(KINDS), reply({"value": []})) as server:
        port = client(server)
        for _ in range(3):
            port.find("account", [], ["name"])
    assert sum("EntityDefinitions" in asked.path for asked in server.asked) == 1


def test_a_table_that_is_not_installed_is_named() -> None:
    with ScriptedServer(Reply(404)) as server, pytest.raises(ConfigurationError) as caught:
        client(server).columns("cosell_microsoftsolution")
    assert "cosell_microsoftsolution" in caught.value.sentence


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b"{}", b'{"value": 3}', b'{"value": [3]}', b'{"value": [{}]}', b'{"value": null}']
)
@pytest.mark.parametrize(
    "call",
    [
        lambda port: port.get("opportunity", ROW, ["name"]),
        lambda port: port.find("opportunity", [], ["name"]),
        lambda port: port.user_id(),
        lambda port: port.columns("opportunity"),
    ],
    ids=["get", "find", "user_id", "columns"],
)
def test_an_answer_in_another_shape_is_unreadable(call: Callable[[DataverseClient], Any], body: bytes) -> None:
    with ScriptedServer(Reply(200, body)) as server, pytest.raises(Unavailable) as caught:
        call(client(server))
    assert caught.value.code == "DV_UNREADABLE"


def test_a_date_that_is_none_is_unreadable() -> None:
    kinds = reply({"value": [{"LogicalName": "createdon", "AttributeType": "DateTime"}]})
    row = reply({"opportunityid": ROW, "createdon": "yesterday"})
    with ScriptedServer(kinds, row) as server, pytest.raises(Unavailable):
        client(server).get("opportunity", ROW, ["createdon"])


def test_a_lead_qualified_without_an_answer_has_to_be_looked_up() -> None:
    for answer in (Reply(204, b""), Reply(200, b"[]"), Reply(200, b'{"value": [{"accountid": "x"}, 3]}')):
        with ScriptedServer(answer) as server, pytest.raises(UnknownOutcome):
            client(server).qualify_lead(ROW, currency=None, customer=None)
        assert len(server.asked) == 1


# names ----------------------------------------------------------------------------------------------------------------
OWN_TABLES = {name: entry for name, entry in SCHEMA["tables"].items() if "set_name" in entry}


@pytest.mark.parametrize("name", OWN_TABLES)
def test_the_connectors_own_tables_are_spelled_as_they_are_installed(name: str) -> None:
    entry, known = OWN_TABLES[name], TABLES[name]
    assert known.set_name == entry["set_name"]
    assert known.key == f"{name}id"
    for lookup in entry["lookups"]:
        assert known.lookups[lookup["name"].lower()] == {lookup["target"]: lookup["name"]}
        assert TABLES[lookup["target"]].children[name] == lookup["relationship"]


def test_lookups_point_to_tables_that_are_known() -> None:
    targets = {target for table in TABLES.values() for lookup in table.lookups.values() for target in lookup}
    assert targets <= set(TABLES)
