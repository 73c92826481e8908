"""A person in the Partner Center portal: creates deals, edits, accepts, declines, wins and loses them. Below `/_sim`.

The same rules hold as for the API, but every property of a referral can be edited, and a date is a calendar day.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.partner_center import rules, schema
from sandbox.partner_center.deals import PORTAL, Deals
from sandbox.partner_center.document import complete, is_microsofts, merged, shares_with_microsoft
from sandbox.partner_center.examples import example
from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.rendering import render
from sandbox.partner_center.stamps import portal_midnight
from sandbox.partner_center.store import Document
from sandbox.web import Refusal, json_body


class Portal:
    """Routes below /_sim/referrals."""

    def __init__(self, deals: Deals) -> None:
        self._deals = deals

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/referrals", self.list, methods=["GET"]),
            Route("/_sim/referrals", self.create, methods=["POST"]),
            Route("/_sim/referrals/{id}", self.read, methods=["GET"]),
            Route("/_sim/referrals/{id}", self.edit, methods=["PATCH"]),
        ]

    async def list(self, request: Request) -> Response:
        """All, Microsoft's included, without the quirks of form; `?engagementId=` those with this value only."""
        wanted = request.query_params.items()
        chosen = [one for one in self._deals.store.referrals() if all(one.get(name) == value for name, value in wanted)]
        return JSONResponse([render(self._deals.layout, one, Quirks()) for one in chosen])

    async def read(self, request: Request) -> Response:
        return self._answer(self._find(request))

    async def create(self, request: Request) -> Response:
        """A partial referral → ours. With a help code and consent to share, Microsoft is invited as well."""
        sent = merged(example(), self._bound(await json_body(request)))
        own = self._deals.create_own(sent, PORTAL)
        help_wanted = own["inviteContext"]["assistanceRequestCode"] in schema.HELP_CODES
        if help_wanted and shares_with_microsoft(own):
            invitation = {
                "engagementId": own["engagementId"],
                "externalReferenceId": None,
                "target": [{"type": "BusinessProfileLocation", "id": "msft"}],
            }
            self._deals.create_microsofts(sent | invitation, PORTAL)
        return self._answer(own, 201)

    async def edit(self, request: Request) -> Response:
        """A partial referral, merged into ours; lists are replaced."""
        changes = self._bound(await json_body(request))
        before = self._find(request)
        if is_microsofts(before):
            hook = f"/_sim/engagements/{before['engagementId']}/microsoft"
            raise Refusal(403, "", f"This is Microsoft's record; use {hook}.")
        after = merged(before, changes)
        after = merged(after, complete(after, schema.REFERRAL))
        rules.check_change(before, after, strict=False)
        return self._answer(self._deals.change(before, after, PORTAL))

    def _bound(self, body: object) -> Document:
        if not isinstance(body, dict):
            raise Refusal(400, "", "Send a JSON object: a partial referral.")
        return dated(schema.bind(body, schema.REFERRAL, "", strict=True), self._deals.quirks)

    def _find(self, request: Request) -> Document:
        document = self._deals.store.referral(request.path_params["id"])
        if document is None:
            raise Refusal(404, "", f"There is no referral '{request.path_params['id']}'.")
        return document

    def _answer(self, document: Document, status: int = 200) -> Response:
        return JSONResponse(render(self._deals.layout, self._deals.stored(document), Quirks()), status)


def dated(sent: Document, quirks: Quirks) -> Document:
    """A closing date given as a calendar day becomes that day's midnight in the portal's time zone."""
    closing = (sent.get("details") or {}).get("closingDateTime")
    if not closing:
        return sent
    moved = portal_midnight(closing, quirks.portal_utc_offset_h)
    return sent | {"details": sent["details"] | {"closingDateTime": moved}}
