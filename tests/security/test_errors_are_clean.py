"""Canaries through every failure path (P11, I7): what people read of an error never holds a secret or a person.

What they read: the error's text and `repr`, its detail (it goes into the audit), tracebacks, log lines, parked and
repeated messages. The other side is the worst there is (`echo_server`), the clients are the real ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import requests
from azure.servicebus import ServiceBusMessage

from shared import messages, row_event
from shared.app import App
from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.http import HttpClient
from shared.clients.key_vault import KeyVault
from shared.clients.limiter import Limiter
from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.clients.service_bus import ServiceBusQueues, client_from_connection_string
from shared.clients.tokens import AppRegistration, AzureTokens, PartnerCenterTokens, azure_credential
from shared.clients.webhook_registrations import WEBHOOK_HOST, WebhookRegistrationsClient, webhook_headers
from shared.errors import DataProblem, SyncError, Unavailable
from shared.messages import Hint, Queue
from shared.ports import Condition, PatchOperation, Registration
from shared.settings import load
from tests.clients.scripted_server import unused_port
from tests.fakes.secrets import FakeSecretStore
from tests.security import canaries
from tests.security.canaries import GUID, PERSON
from tests.security.echo_server import EchoServer
from tests.security.stumbling import NOW, shown

ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"


# clients --------------------------------------------------------------------------------------------------------------
class Tokens:
    def token(self, scope: str) -> str:
        return canaries.TOKEN

    def renew(self, scope: str, refused: str) -> None:
        """There is no other."""


@dataclass
class Clock:
    """Time that passes only while somebody sleeps: pauses that a vendor asks for take none of ours."""

    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def http(url: str, ca_bundle: str | None, vendor: Any, headers: Any) -> HttpClient:
    clock = Clock()
    limiter = Limiter("the test", calls_per_minute=100_000, concurrency=8, now=clock.now, sleep=clock.sleep)
    return HttpClient(
        url,
        vendor=vendor,
        tokens=Tokens(),
        limiter=limiter,
        headers=headers,
        ca_bundle=ca_bundle,
        sleep=clock.sleep,
    )


@dataclass
class Clients:
    """The real clients of one address."""

    url: str
    ca_bundle: str | None

    @cached_property
    def dataverse(self) -> DataverseClient:
        return DataverseClient(http(self.url, self.ca_bundle, DATAVERSE, dataverse_headers))

    @cached_property
    def partner_center(self) -> PartnerCenterClient:
        return PartnerCenterClient(http(self.url, self.ca_bundle, PARTNER_CENTER, referral_headers))

    @cached_property
    def registrations(self) -> WebhookRegistrationsClient:
        return WebhookRegistrationsClient(http(self.url, self.ca_bundle, WEBHOOK_HOST, webhook_headers))

    @cached_property
    def azure(self) -> AzureTokens:
        return AzureTokens(lambda: azure_credential(self.url, self.ca_bundle))

    @cached_property
    def vault(self) -> KeyVault:
        class Credential:
            def get_token(self, *scopes: str, **options: Any) -> Any:
                return type("Token", (), {"token": canaries.TOKEN, "expires_on": 4_000_000_000})()

        return KeyVault(self.url, Credential(), ca_bundle=self.ca_bundle, pause_s=0)

    @cached_property
    def user_tokens(self) -> PartnerCenterTokens:
        app = AppRegistration(self.url, "tenant", GUID, canaries.CLIENT_SECRET, "refresh")
        return PartnerCenterTokens(app, FakeSecretStore(refresh=canaries.REFRESH_TOKEN), ca_bundle=self.ca_bundle)


REFERRAL = {"details": {"notes": canaries.NOTE}, "team": [{"email": canaries.MAILBOX, "phone": canaries.PHONE}]}
HOOK = canaries.ENVIRONMENT["WEBHOOK_URL"]
CALLS: dict[str, Callable[[Clients], object]] = {
    "dataverse create": lambda c: c.dataverse.create("contact", PERSON),
    "dataverse update": lambda c: c.dataverse.update("contact", ROW, PERSON, 'W/"1"'),
    "dataverse find": lambda c: c.dataverse.find("contact", [Condition("description", canaries.NOTE)], ["fullname"]),
    "dataverse get": lambda c: c.dataverse.get("contact", ROW, ["fullname"]),
    "dataverse delete": lambda c: c.dataverse.delete("contact", ROW),
    "dataverse user": lambda c: c.dataverse.user_id(),
    "partner center get": lambda c: c.partner_center.get(GUID),
    "partner center create": lambda c: c.partner_center.create(REFERRAL),
    "partner center patch": lambda c: c.partner_center.patch(
        GUID, [PatchOperation("replace", "/details/notes", canaries.NOTE)], '"1"'
    ),
    "partner center find": lambda c: c.partner_center.find_by_external_reference(canaries.NOTE, NOW),
    "partner center engagement": lambda c: c.partner_center.engagement(canaries.MAILBOX),
    "registrations current": lambda c: c.registrations.current(),
    "registrations register": lambda c: c.registrations.register(HOOK, ["test-created"]),
    "registrations replace": lambda c: c.registrations.replace(HOOK, ["test-created"]),
    "vault get": lambda c: c.vault.get("refresh"),
    "vault set": lambda c: c.vault.set("refresh", canaries.REFRESH_TOKEN),
    "user tokens": lambda c: c.user_tokens.token("https://api.partner.microsoft.com/.default"),
    "azure tokens": lambda c: c.azure.token("https://contoso.crm.dynamics.com/.default"),
}
STATUSES = (200, 302, 400, 401, 403, 404, 405, 409, 412, 413, 422, 429, 500, 503)
OF_THE_SDK = (302, 400, 401, 403, 404, 409)
"""Others Microsoft's own clients repeat with pauses of seconds."""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoServer]:
    with pytest.MonkeyPatch.context() as environment, EchoServer(tmp_path_factory.mktemp("echo")) as server:
        environment.setenv("AZURE_TENANT_ID", "tenant")
        environment.setenv("AZURE_CLIENT_ID", GUID)
        environment.setenv("AZURE_CLIENT_SECRET", canaries.CLIENT_SECRET)
        yield server


def test_the_echo_tells_everything(echo: EchoServer) -> None:
    """Otherwise the silence below would prove nothing."""
    session = requests.Session()
    answer = session.post(f"{echo.url}/x", json=PERSON, verify=echo.ca_bundle, headers={"Authorization": "Bearer x"})
    told = canaries.found(answer.text)
    session.close()
    assert set(told) == set(canaries.ALL)


@pytest.mark.parametrize("name", CALLS)
def test_answers_that_quote_everything(name: str, echo: EchoServer, log: list[str]) -> None:
    """Every status in the vendors' shapes, and a gateway's page."""
    clients, leaks, raised = Clients(echo.url, echo.ca_bundle), {}, 0
    statuses = OF_THE_SDK if name.startswith(("vault", "azure")) else STATUSES
    for status in statuses:
        for html in {False, status == 400}:
            echo.status, echo.html = status, html
            echo.headers = {"Location": f"{echo.url}/elsewhere"} if status == 302 else {}
            try:
                CALLS[name](clients)
            except SyncError as error:
                raised += 1
                logging.getLogger("cosell.canary.child").warning("failed: %s", error, exc_info=error)
                if told := canaries.found(shown(error)):
                    leaks[status, html] = told
    assert leaks == {}
    assert raised >= len(statuses)
    assert [line for line in log if canaries.found(line)] == []
    assert len(log) >= raised


@pytest.mark.parametrize("name", [name for name in CALLS if name != "azure tokens"])
def test_connections_that_fail(name: str, echo: EchoServer, log: list[str]) -> None:
    """Nobody there, and a certificate that nobody vouches for."""
    for clients in (Clients(f"https://localhost:{unused_port()}", None), Clients(echo.url, None)):
        with pytest.raises(SyncError) as caught:
            CALLS[name](clients)
        logging.getLogger("cosell.canary.child").exception("failed")
        assert canaries.found(shown(caught.value)) == []
    assert [line for line in log if canaries.found(line)] == []


def test_service_bus(log: list[str]) -> None:
    queues = ServiceBusQueues(lambda: client_from_connection_string(canaries.CONNECTION_STRING), lambda: NOW)
    with pytest.raises(Unavailable) as caught:
        queues.send(Queue.PARKED, Hint(subject="referral", id=GUID, reason=canaries.NOTE))
    queues.close()
    assert canaries.found(shown(caught.value)) == []
    assert [line for line in log if canaries.found(line)] == []


@pytest.mark.parametrize(
    "connection",
    [
        canaries.SAS_KEY,
        f"SharedAccessKey={canaries.SAS_KEY}",
        f"Endpoint={canaries.SAS_KEY}",
        canaries.CONNECTION_STRING.replace("Endpoint=sb://127.0.0.1:1/;", ""),
    ],
)
def test_a_broken_connection_string(connection: str) -> None:
    with pytest.raises(SyncError) as caught:
        client_from_connection_string(connection)
    assert caught.value.code == "SB_CONNECTION"
    assert canaries.found(shown(caught.value)) == []


# settings, repr -------------------------------------------------------------------------------------------------------
def test_nothing_shows_its_secrets(echo: EchoServer) -> None:
    settings = load(canaries.ENVIRONMENT)
    clients, app = Clients(echo.url, echo.ca_bundle), App(settings)
    user_tokens = clients.user_tokens
    things = [
        settings,
        app,
        app.connect_service_bus(),
        app.queues,
        app.delivery,
        app.notifications,
        app.dataverse,
        app.partner_center,
        *(vars(user_tokens).values()),
        clients.azure,
        clients.vault,
        clients.dataverse,
        http(echo.url, None, DATAVERSE, dataverse_headers),
        Registration(HOOK, ("test-created",)),
        ServiceBusMessage("x"),
    ]
    for thing in things:
        assert canaries.found(f"{thing!r} {thing}") == [], type(thing)
    assert set(canaries.found(json.dumps(settings.model_dump(mode="json")))) <= {"function key", "telephone number"}
    app.queues.close()


def test_a_token_that_was_redeemed_is_not_shown() -> None:
    from shared.clients.tokens import _Token

    assert canaries.found(repr(_Token(canaries.TOKEN, 0.0))) == []


def test_settings_that_are_wrong_are_named_without_their_values() -> None:
    for name in (field.alias or key.upper() for key, field in type(load(canaries.ENVIRONMENT)).model_fields.items()):
        for value in (canaries.NOTE, f"http://{canaries.CLIENT_SECRET}@x?code={canaries.FUNCTION_KEY}", canaries.TOKEN):
            problem = _problem_with({**canaries.ENVIRONMENT, name: value})
            assert problem is None or name in problem.sentence
            assert problem is None or canaries.found(shown(problem)) == [], name


def _problem_with(environment: dict[str, str]) -> SyncError | None:
    try:
        load(environment)
    except SyncError as error:
        return error
    return None


@pytest.mark.parametrize("text", [canaries.NOTE, json.dumps(PERSON), json.dumps({"id": canaries.MAILBOX})])
@pytest.mark.parametrize("parse", [messages.parse, row_event.parse], ids=["hint", "change"])
def test_messages_that_cannot_be_read(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(DataProblem) as caught:
        parse(text)
    assert canaries.found(shown(caught.value)) == []
