"""Switches and sights below `/_sim` that belong to no actor: quirks, delivery, events, attempts, idleness.

Our own invention. `PUT` merges the given members into what is set; `POST /_sim/reset` restores the defaults. The
certificate, which the vendor serves from a storage account, is served here as well.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.authority import SIGNER_HOST
from sandbox.layout import new_guid
from sandbox.partner_center.deals import Deals
from sandbox.partner_center.events import Events
from sandbox.partner_center.sending import Delivery, Sender
from sandbox.partner_center.signing import Signing
from sandbox.partner_center.store import Event, Store
from sandbox.web import Refusal, json_body

_REDIRECTED = "/cert/moved.cer"


class Control:
    """Routes below /_sim and /cert."""

    def __init__(self, deals: Deals, events: Events, sender: Sender, signing: Signing) -> None:
        self._deals, self._events, self._sender, self._signing = deals, events, sender, signing
        self._store: Store = deals.store

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/quirks", self.read_quirks, methods=["GET"]),
            Route("/_sim/quirks", self.set_quirks, methods=["PUT"]),
            Route("/_sim/delivery", self.read_delivery, methods=["GET"]),
            Route("/_sim/delivery", self.set_delivery, methods=["PUT"]),
            Route("/_sim/events", self.list_events, methods=["GET"]),
            Route("/_sim/events", self.emit, methods=["POST"]),
            Route("/_sim/deliveries", self.list_deliveries, methods=["GET"]),
            Route("/_sim/redeliver", self.redeliver, methods=["POST"]),
            Route("/_sim/idle", self.idle, methods=["GET"]),
            Route("/_sim/registration", self.registration, methods=["GET"]),
            Route(f"/cert/{SIGNER_HOST}.cer", self.certificate, methods=["GET"]),
            Route(_REDIRECTED, self.certificate, methods=["GET"]),
        ]

    async def read_quirks(self, request: Request) -> Response:
        return JSONResponse(self._deals.quirks.model_dump(mode="json"))

    async def set_quirks(self, request: Request) -> Response:
        quirks = _merged(self._deals.quirks, await json_body(request))
        self._store.set_setting("quirks", quirks.model_dump(mode="json"))
        return JSONResponse(quirks.model_dump(mode="json"))

    async def read_delivery(self, request: Request) -> Response:
        return JSONResponse(self._sender.settings.model_dump(mode="json"))

    async def set_delivery(self, request: Request) -> Response:
        settings: Delivery = _merged(self._sender.settings, await json_body(request))
        self._sender.change(settings)
        return JSONResponse(settings.model_dump(mode="json"))

    async def list_events(self, request: Request) -> Response:
        """`?since=n&state=dead`: `[{n, at, name, resource_id, state, attempts}]`."""
        state: Any = request.query_params.get("state")
        return JSONResponse([_shown(event) for event in self._store.events(since=_since(request), state=state)])

    async def emit(self, request: Request) -> Response:
        """`{"name": "invoice-ready", "resource": "invoice", "resource_id": …}`: any event, as if it had happened."""
        body = await json_body(request)
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise Refusal(400, "", 'Send {"name": "invoice-ready", "resource": "invoice", "resource_id": "…"}.')
        resource_id = str(body.get("resource_id") or new_guid())
        event = self._events.raise_event(body["name"], resource_id, resource=str(body.get("resource", "referral")))
        return JSONResponse(_shown(event), 201)

    async def list_deliveries(self, request: Request) -> Response:
        """`?since=n`: one object an attempt."""
        return JSONResponse(self._store.deliveries(since=_since(request)))

    async def redeliver(self, request: Request) -> Response:
        """`{"events": [n, …]}` or `{"state": "dead" | "delivered" | "dropped"}` → `{"queued": k}`."""
        body = await json_body(request)
        numbers = body.get("events") if isinstance(body, dict) else None
        state = body.get("state") if isinstance(body, dict) else None
        if not isinstance(numbers, list) and state not in ("dead", "delivered", "dropped"):
            raise Refusal(400, "", 'Send {"events": [n, …]} or {"state": "dead"}.')
        finished = [event for event in self._store.events() if event.state in ("dead", "delivered", "dropped")]
        chosen = [event for event in finished if event.state == state or (numbers and event.n in numbers)]
        for event in chosen:
            self._sender.send_again(event)
        return JSONResponse({"queued": len(chosen)})

    async def idle(self, request: Request) -> Response:
        events, attempts = self._store.numbers()
        told = {"events": events, "attempts": attempts, "pending": self._store.count_pending()}
        return JSONResponse({"idle": self._sender.idle(), **told})

    async def registration(self, request: Request) -> Response:
        registration = self._events.registration()
        return JSONResponse(registration.__dict__ if registration else None)

    async def certificate(self, request: Request) -> Response:
        settings = self._sender.settings
        if settings.signature_fault == "redirecting_certificate_url" and request.url.path != _REDIRECTED:
            return RedirectResponse(_REDIRECTED, 302)
        content = self._signing.certificate(settings.signature_fault, pem=settings.certificate_format == "pem")
        return Response(content, media_type="application/octet-stream")


def _shown(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event.__dict__.items() if name != "body"}


def _since(request: Request) -> int:
    given = request.query_params.get("since", "0")
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise Refusal(400, "", "since must be a whole number.")
    return int(given)


def _merged[Settings: BaseModel](settings: Settings, changes: Any) -> Settings:
    if not isinstance(changes, dict):
        raise Refusal(400, "", "Send a JSON object.")
    try:
        return type(settings).model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refusal(400, "", f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
