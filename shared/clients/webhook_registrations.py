"""Partner Center's webhook registration as the port `shared.ports.WebhookRegistrations`.

Another host, token audience, header family and error shape than the referrals. There is one registration for the whole
tenant: deciding whether to replace a foreign one is the handler's business, never this module's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from shared.clients import failures
from shared.clients.failures import Vendor
from shared.clients.http import HttpClient
from shared.clients.odata import segment
from shared.errors import NotFound
from shared.ports import Registration, ValidationResult

WEBHOOK_HOST = Vendor(
    "PCW",
    "Partner Center's webhook service",
    sign_in="Renew the consent of the service user: python -m admin consent.",
    access="Give the service user one of the roles Referrals admin, Admin agent, Sales agent or Helpdesk agent.",
)

_PATH = "/webhooks/v1/registration"


def webhook_headers(correlation_id: str) -> Mapping[str, str]:
    """The webhook API's own headers for one attempt."""
    return {"MS-RequestId": str(uuid.uuid4()), "MS-CorrelationId": correlation_id, "MS-Contract-Version": "v1"}


class WebhookRegistrationsClient:
    """`http` stands for https://api.partnercenter.microsoft.com, without a path."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def current(self) -> Registration | None:
        try:
            answer = self._http.get(_PATH)
        except NotFound:
            return None
        return _registration(answer.body) if answer.body else None

    def register(self, url: str, events: Sequence[str]) -> Registration:
        return _registration(self._http.request("POST", _PATH, body=_body(url, events)).body)

    def replace(self, url: str, events: Sequence[str]) -> Registration:
        return _registration(self._http.request("PUT", _PATH, body=_body(url, events)).body)

    def send_test_event(self) -> str:
        answer = self._http.request("POST", f"{_PATH}/validationEvents").body
        # The documentation shows an object, the vendor's OpenAPI file a bare string.
        correlation_id = answer if isinstance(answer, str) else _folded(answer).get("correlationid")
        if not isinstance(correlation_id, str) or not correlation_id:
            raise failures.unreadable(WEBHOOK_HOST, repeatable=True)
        return correlation_id

    def test_result(self, correlation_id: str) -> ValidationResult:
        answer = self._http.get(f"{_PATH}/validationEvents/{segment(correlation_id)}")
        result = _folded(answer.body)
        attempts = [_folded(item) for item in result.get("results") or []]
        return ValidationResult(
            finished=str(result.get("status", "")).lower() in ("completed", "failed"),
            delivered=any(_is_success(attempt.get("responsecode")) for attempt in attempts),
            attempts=len(attempts),
        )


def _body(url: str, events: Sequence[str]) -> dict[str, Any]:
    # The signature in a header of its own survives gateways that take `Authorization` for themselves.
    return {"WebhookUrl": url, "WebhookEvents": list(events), "SignatureTokenToMsSignatureHeader": True}


def _registration(body: Any) -> Registration:
    found = _folded(body)
    events = found.get("webhookevents")
    if not isinstance(found.get("webhookurl"), str) or not isinstance(events, list):
        raise failures.unreadable(WEBHOOK_HOST, repeatable=True)
    subscriber = found.get("subscriberid")
    return Registration(found["webhookurl"], tuple(map(str, events)), str(subscriber) if subscriber else None)


def _folded(body: Any) -> dict[str, Any]:
    """Members by lower-case name: the vendor prints them in either case."""
    return {str(key).lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def _is_success(code: Any) -> bool:
    """`responseCode` is the name of the HTTP status ("OK"), sometimes its number."""
    return str(code).lower() in ("ok", "created", "accepted", "nocontent") or str(code).startswith("2")
