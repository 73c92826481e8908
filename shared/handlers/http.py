"""HTTP in and out of the three HTTP functions: requests to arguments, results to JSON. No decisions."""

from __future__ import annotations

import json
from typing import Any, Protocol
from urllib.parse import urlsplit

import azure.functions as func

from shared.delivery import foreseen
from shared.errors import Rejected, SyncError
from shared.handlers import partner_center_webhook, partner_center_webhook_registration
from shared.ports import Dataverse, Queues, WebhookRegistrations
from shared.settings import Settings
from shared.trust import WebhookTrust


class Wiring(Protocol):
    """The part of `shared.app.App` these functions use."""

    settings: Settings

    @property
    def trust(self) -> WebhookTrust: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def registrations(self) -> WebhookRegistrations: ...
    @property
    def dataverse(self) -> Dataverse: ...


class Connect(Protocol):
    def __call__(self) -> Wiring: ...


def receive(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """The webhook: 200, 4xx for what is refused, 503 when it could not be taken."""
    try:
        with foreseen():
            app = connect()
            headers = list(request.headers.items())
            status, text = partner_center_webhook.handle(headers, request.get_body(), app.trust, app.queues)
    except SyncError as error:
        return _answer(503, {"code": error.code})
    return _answer(status, {"result": text})


def register(request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """Body: {"url": …, "events": […], "overwrite": true}; url and events default to the settings."""
    try:
        with foreseen():
            body = _body(request)
            app = connect()
            url = body.get("url") or app.settings.webhook_url
            if not isinstance(url, str) or not _is_usable(url):
                raise Rejected(
                    "WEBHOOK_URL_MISSING",
                    "No usable webhook address is given.",
                    "Set WEBHOOK_URL or send url (https://…).",
                )
            events = body.get("events") or app.settings.webhook_events
            if not isinstance(events, list | tuple) or not all(isinstance(event, str) for event in events):
                raise Rejected(
                    "WEBHOOK_EVENTS_INVALID",
                    "The events are not a list of names.",
                    'Send events: ["referral-created", …].',
                )
            outcome = partner_center_webhook_registration.handle(
                app.registrations,
                url,
                list(events),
                overwrite=body.get("overwrite") is True,
                test=body.get("test") is not False,
            )
    except Rejected as refusal:
        return _problem(refusal.status, refusal)
    except SyncError as error:
        return _problem(502, error)
    return _answer(
        409 if outcome.result == "REFUSED_EXISTING" else 200,
        {
            "result": outcome.result,
            "sentence": outcome.sentence,
            "delivered": outcome.delivered,
            "url": outcome.registration.url if outcome.registration else None,
            "events": outcome.registration.events if outcome.registration else [],
            "previous": {"url": outcome.previous.url, "events": outcome.previous.events} if outcome.previous else None,
        },
    )


def status(_request: func.HttpRequest, connect: Connect) -> func.HttpResponse:
    """200 when settings are valid and Dataverse and Partner Center answer; else 503 with the sentence.

    What stands under `webhook` and `webhookTrust` holds up nothing but events, so it does not change the status.
    """
    try:
        with foreseen():
            app = connect()
            user = app.dataverse.user_id()
            registration = app.registrations.current()
            doubts = app.trust.doubts() if app.settings.webhook_url else []
    except SyncError as error:
        return _problem(503, error)
    ours = registration is not None and registration.url == app.settings.webhook_url
    webhook = "ours" if ours else "registered elsewhere or not at all"
    return _answer(200, {"dataverseUser": user, "webhook": webhook, "webhookTrust": doubts or "in order"})


def _body(request: func.HttpRequest) -> dict[str, Any]:
    raw = request.get_body()
    try:
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Rejected(
            "BODY_NOT_JSON", "The request's body is not a JSON object.", 'Send {"overwrite": true} or nothing.'
        )
    return body


def _is_usable(url: str) -> bool:
    """https anywhere, http on this machine only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    local = parts.hostname in ("localhost", "127.0.0.1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _problem(status: int, error: SyncError) -> func.HttpResponse:
    return _answer(status, {"result": "FAILED", "code": error.code, "sentence": error.sentence, "remedy": error.remedy})


def _answer(status: int, document: dict[str, Any]) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(document), status_code=status, mimetype="application/json")
