"""Links in answers lead nowhere (P9): next links, redirects, links inside documents, at every vendor's client.

The servers answer with the addresses of `test_ssrf`; look-ups and connections are trapped in the interpreter except to
the server itself. A token must reach its own host and no other, whatever an answer says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.http import Session
from shared.clients.notifications import WebhookNotifications
from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.clients.webhook_registrations import WEBHOOK_HOST, WebhookRegistrationsClient, webhook_headers
from shared.errors import ConfigurationError, SyncError
from tests.clients.scripted_server import Reply, ScriptedServer
from tests.clients.stubs import http_client
from tests.security.doubles import trapped_network
from tests.security.echo_server import EchoServer
from tests.security.test_errors_are_clean import CALLS, Clients
from tests.security.test_ssrf import URLS

ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"
KINDS = Reply(200, json.dumps({"value": [{"LogicalName": "name", "AttributeType": "String"}]}).encode())
LAST = Reply(200, b'{"value": []}')
TARGETS = [*URLS, *(f"{url}?$skiptoken=2" for url in URLS)]


def dataverse(server: ScriptedServer) -> DataverseClient:
    return DataverseClient(http_client(server.url, DATAVERSE, dataverse_headers))


def partner_center(server: ScriptedServer) -> PartnerCenterClient:
    return PartnerCenterClient(http_client(server.url, PARTNER_CENTER, referral_headers))


def registrations(server: ScriptedServer) -> WebhookRegistrationsClient:
    return WebhookRegistrationsClient(http_client(server.url, WEBHOOK_HOST, webhook_headers))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def port(server: ScriptedServer) -> int:
    return int(server.url.rpartition(":")[2])


def reply(document: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers)


def on_the_wire(url: str) -> str:
    """As a header can carry it."""
    return "".join(letter for letter in url if letter not in "\r\n").encode().decode("latin-1")


def accounts(server: ScriptedServer) -> Callable[[], object]:
    client = dataverse(server)
    server.answers[:] = [KINDS, LAST]
    client.find("account", [], ["name"])  # now it knows the columns
    return lambda: client.find("account", [], ["name"])


def engagement(server: ScriptedServer) -> Callable[[], object]:
    client = partner_center(server)
    return lambda: client.engagement(ROW)


LISTS: dict[str, tuple[str, Callable[[ScriptedServer], Callable[[], object]]]] = {
    "Dataverse": ("/api/data/v9.2/accounts?", accounts),
    "Partner Center": ("/v1.0/engagements/referrals?", engagement),
}


@pytest.mark.parametrize("vendor", LISTS)
def test_a_next_link_is_asked_of_our_own_host(vendor: str, server: ScriptedServer) -> None:
    path, prepared = LISTS[vendor]
    call, followed = prepared(server), 0
    for url in TARGETS:
        server.asked.clear()
        server.answers[:] = [reply({"value": [], "@odata.nextLink": url}), LAST]
        with trapped_network(port(server)) as attempts:
            try:
                call()
            except SyncError as error:
                assert error.code.endswith("_UNREADABLE"), url  # noqa: PT017 - a link may also be refused
        assert attempts == [], url
        assert {page.path.startswith(path) for page in server.asked} == {True}, url
        assert all(page.headers["Authorization"] == "Bearer token" for page in server.asked)
        followed += len(server.asked) > 1
    assert followed >= len(URLS), "a link with a query is followed, on our host"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, server: ScriptedServer) -> None:
    calls: list[Callable[[], object]] = [
        lambda: dataverse(server).user_id(),
        lambda: dataverse(server).update("opportunity", ROW, {"name": "x"}, None),
        lambda: partner_center(server).get(ROW),
        lambda: partner_center(server).create({}),
        lambda: registrations(server).current(),
        lambda: registrations(server).register("https://x.example", []),
    ]
    for number, url in enumerate(URLS):
        server.asked.clear()
        server.answers[:] = [Reply(status, headers={"Location": on_the_wire(url)})]
        with trapped_network(port(server)) as attempts, pytest.raises(ConfigurationError):
            calls[number % len(calls)]()
        assert attempts == [], url
        assert len(server.asked) == 1


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("dataverse get", "dataverse find")])
def test_neither_do_the_vendors_own_libraries(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also azure-core for Key Vault, msal and azure-identity for tokens."""
    for variable in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(variable, "tenant")
    with EchoServer(tmp_path_factory.mktemp("echo")) as echo:
        echo.status, echo.headers = 302, {"Location": "https://evil.example/steal"}
        with trapped_network(echo.port) as attempts, pytest.raises(SyncError):
            CALLS[name](Clients(echo.url, echo.ca_bundle))
    assert attempts == []
    assert echo.asked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_does_a_notification(status: int, server: ScriptedServer) -> None:
    """Its address may hold a key, and its card names a deal."""
    server.answers[:] = [Reply(status, headers={"Location": "https://evil.example/steal"})]
    with trapped_network(port(server)) as attempts:
        WebhookNotifications(f"{server.url}/hook?sig=key").post("A new deal", "It waits.", {})
    assert attempts == []
    assert len(server.asked) == 1


def test_links_inside_documents_are_data(server: ScriptedServer) -> None:
    for url in URLS:
        document = {
            "id": ROW,
            "eTag": '"1"',
            "links": {"self": {"uri": url}, "related": [{"href": url}]},
            "@odata.id": url,
            "@odata.editLink": url,
            "@odata.context": url,
        }
        created = f"{on_the_wire(url)}({ROW})"
        server.answers[:] = [reply(document), Reply(204, b"", {"OData-EntityId": created, "Location": created})]
        with trapped_network(port(server)) as attempts:
            assert partner_center(server).get(ROW).id == ROW
            assert dataverse(server).create("opportunity", {"name": "x"}) == ROW
        assert attempts == [], url


def test_the_session_of_every_client_takes_nothing_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://evil.example:3128")
    session = Session(None)
    with trapped_network(port(server)) as attempts:
        assert session.get(f"{server.url}/x").ok
        assert session.exchange("GET", f"{server.url}/x", {}, None).ok
    assert attempts == []
    session.close()


def test_the_trap_would_see_it(server: ScriptedServer) -> None:
    """Otherwise the empty lists above would prove nothing."""
    server.answers[:] = [Reply(302, headers={"Location": "https://evil.example/steal"})]
    with trapped_network(port(server)) as attempts, pytest.raises(OSError, match=r"evil\.example"):
        Session(None).get(f"{server.url}/x", allow_redirects=True)
    assert attempts == ["resolve evil.example"]
