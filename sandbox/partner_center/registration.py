"""The webhook registration API: one registration per tenant, the events there are, and validation events.

Properties are PascalCase in answers, as in the documentation's examples, and read without regard to case. A
`WebhookUrl` is https; http is taken on loopback only, because the local Functions host speaks plain HTTP. Contract:
Webhooks OpenAPI file of the Partner Center SDK documentation.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import new_guid
from sandbox.partner_center import access
from sandbox.partner_center.deals import Deals
from sandbox.partner_center.events import SUPPORTED, TEST_EVENT, Events, Registration
from sandbox.partner_center.rendering import REGISTRATION_PATH, headers
from sandbox.partner_center.store import Document
from sandbox.web import Refusal, json_body

_BASE = f"{REGISTRATION_PATH}/registration"
_TESTS_PER_MINUTE = 2
_RESULT_KEPT = timedelta(days=7)


class RegistrationApi:
    """Routes below /webhooks/v1/registration."""

    def __init__(self, deals: Deals, events: Events) -> None:
        self._deals = deals
        self._events = events

    def routes(self) -> list[Route]:
        return [
            Route(f"{_BASE}/events", self.supported, methods=["GET"]),
            Route(f"{_BASE}/validationEvents", self.send_test, methods=["POST"]),
            Route(f"{_BASE}/validationEvents/{{id}}", self.test_result, methods=["GET"]),
            Route(_BASE, self.read, methods=["GET"]),
            Route(_BASE, self.create, methods=["POST"]),
            Route(_BASE, self.replace, methods=["PUT"]),
        ]

    async def supported(self, request: Request) -> Response:
        self._enter(request)
        return self._answer(request, list(SUPPORTED))

    async def read(self, request: Request) -> Response:
        self._enter(request)
        return self._answer(request, _document(self._existing()))

    async def create(self, request: Request) -> Response:
        self._enter(request)
        if self._events.registration() is not None:
            raise Refusal(409, "", "A registration exists already; use PUT to change it.")
        return await self._register(request)

    async def replace(self, request: Request) -> Response:
        self._enter(request)
        self._existing()
        return await self._register(request)

    async def send_test(self, request: Request) -> Response:
        self._enter(request)
        registration = self._existing()
        if TEST_EVENT not in registration.events:
            raise Refusal(400, "", f"The registration does not contain the event {TEST_EVENT}.")
        now = self._deals.now()
        sent = [datetime.fromisoformat(event.at) for event in self._deals.store.events(name=TEST_EVENT)]
        recent = [at for at in sent if now - at < timedelta(minutes=1)]
        if len(recent) >= _TESTS_PER_MINUTE:
            wait_s = 60 - int((now - recent[-_TESTS_PER_MINUTE]).total_seconds())
            raise Refusal(429, "", "Too many validation events.", headers={"Retry-After": str(max(1, wait_s))})
        correlation_id = new_guid()
        self._events.raise_event(TEST_EVENT, correlation_id, resource="test", test_id=correlation_id)
        return self._answer(request, {"correlationId": correlation_id})

    async def test_result(self, request: Request) -> Response:
        self._enter(request)
        correlation_id = request.path_params["id"].lower()
        found = self._deals.store.events(test_id=correlation_id)
        if not found or self._deals.now() - datetime.fromisoformat(found[0].at) > _RESULT_KEPT:
            raise Refusal(404, "", f"The validation event '{correlation_id}' was not found.")
        registration = self._events.registration()
        states = {"delivered": "completed", "dead": "failed", "dropped": "failed"}
        result = {
            "correlationId": correlation_id,
            "partnerId": self._deals.layout.organization_id,
            "status": states.get(found[0].state, "pending"),
            "callbackUrl": registration.url if registration else "",
            "results": [_result(one) for one in self._deals.store.deliveries(test_id=correlation_id)],
        }
        return self._answer(request, result)

    def _enter(self, request: Request) -> None:
        access.registration_caller(request, self._deals.layout)

    def _existing(self) -> Registration:
        registration = self._events.registration()
        if registration is None:
            raise Refusal(404, "", "There is no registration.")
        return registration

    async def _register(self, request: Request) -> Response:
        body = await json_body(request)
        if not isinstance(body, dict):
            raise Refusal(400, "", "The body must be an object.")
        given = {name.lower(): value for name, value in body.items()}
        registration = self._events.register(
            _checked_url(given.get("webhookurl")),
            _checked_events(given.get("webhookevents")),
            # Microsoft's own connector sends the switch as text.
            own_header=str(given.get("signaturetokentomssignatureheader", False)).lower() == "true",
        )
        return self._answer(request, {"SubscriberId": registration.subscriber_id} | _document(registration))

    def _answer(self, request: Request, body: Any) -> Response:
        return JSONResponse(body, headers=headers(request, self._deals.now()))


def _document(registration: Registration) -> Document:
    """As `GET` shows it; the documented answer has no SubscriberId."""
    return {
        "WebhookUrl": registration.url,
        "WebhookEvents": list(registration.events),
        "SignatureTokenToMsSignatureHeader": registration.own_header,
        "lastModifiedTimestamp": registration.modified_at,
    }


def _checked_url(value: Any) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        raise Refusal(400, "3000", "The WebhookUrl is not a URL.", target="WebhookUrl") from None
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not port_is_one or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise Refusal(400, "3000", "The WebhookUrl must be an https URL.", target="WebhookUrl")
    return str(value)


def _checked_events(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Refusal(400, "3000", "The WebhookEvents must name at least one event.", target="WebhookEvents")
    for name in value:
        if name not in SUPPORTED:
            raise Refusal(400, "3000", f"The event '{name}' is not supported.", target="WebhookEvents")
    return tuple(dict.fromkeys(value))


def _result(delivery: Document) -> Document:
    """One attempt, with the name of its HTTP status as the service writes it (`OK`, `NotFound`)."""
    status = delivery["status"]
    name = HTTPStatus(status).phrase.title().replace(" ", "") if status in set(HTTPStatus) else str(status or "")
    return {
        "responseCode": "OK" if status == 200 else name,
        "responseMessage": delivery["error"] or "",
        "systemError": status is None,
        "dateTimeUtc": delivery["at"].partition("+")[0] + "0",
    }
