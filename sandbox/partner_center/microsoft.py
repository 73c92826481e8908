"""The others in a deal: Microsoft sends, accepts, declines, wins, loses, lets expire, edits; the service itself; a
second partner. Hooks below `/_sim`.

What Microsoft does goes through `deals` like everything else, so versions, shared data and events follow. The documents
are examples with invented companies; a body's members replace theirs.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import new_guid
from sandbox.partner_center import rules, schema
from sandbox.partner_center.deals import SERVICE, Deals, new_msx_id
from sandbox.partner_center.document import MICROSOFT, complete, is_microsofts, merged, untracked
from sandbox.partner_center.examples import example
from sandbox.partner_center.portal import dated
from sandbox.partner_center.rendering import render
from sandbox.partner_center.store import Document
from sandbox.web import Refusal, json_body

_KINDS: dict[str, Document] = {
    "co-sell": {"type": "Shared", "qualification": "SalesQualified"},
    "lead": {"type": "Independent", "qualification": "MarketingQualified"},
    "marketplace-lead": {"type": "Independent", "qualification": "Direct"},
    "partner": {"type": "Shared", "qualification": "SalesQualified"},
}
_FACTS = (
    "status",
    "substatus",
    "statusReason",
    "referralSource",
    "callToAction",
    "expirationDateTime",
    "quality",
    "isSpam",
)
_MOVES: dict[str, tuple[str, str, str]] = {
    "accept": ("New", "Active", "Accepted"),
    "decline": ("New", "Closed", "Declined"),
    "win": ("Active", "Closed", "Won"),
    "lose": ("Active", "Closed", "Lost"),
    "expire": ("New", "Closed", "Expired"),
}


class Microsoft:
    """Routes of Microsoft's hooks."""

    def __init__(self, deals: Deals) -> None:
        self._deals = deals

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/inbound", self.send, methods=["POST"]),
            Route("/_sim/engagements/{id}/microsoft", self.act, methods=["POST"]),
            Route("/_sim/engagements/{id}/partner", self.join, methods=["POST"]),
            Route("/_sim/referrals/{id}/service", self.decree, methods=["POST"]),
        ]

    async def send(self, request: Request) -> Response:
        """`{"kind": "co-sell" | "lead" | "marketplace-lead" | "partner", …partial referral}` → our new referral."""
        body = await json_body(request)
        if not isinstance(body, dict):
            raise Refusal(400, "", "Send a JSON object: a partial referral, and optionally its kind.")
        kind = body.pop("kind", "co-sell")
        if kind not in _KINDS:
            raise Refusal(400, "", f"'{kind}' is no kind of referral; use one of {', '.join(_KINDS)}.")
        inviter = new_guid() if kind == "partner" else MICROSOFT
        facts = {name: body.pop(name) for name in _FACTS if name in body}
        if kind == "marketplace-lead":
            facts = {"referralSource": "AzureMarketplace", "callToAction": "ContactMe"} | facts
        given = {"inviteContext": {"invitedBy": {"organizationId": inviter}}} | _KINDS[kind]
        sent = dated(
            schema.bind(merged(merged(example(), given), body), schema.REFERRAL, "", strict=True), self._deals.quirks
        )
        msx_id = new_msx_id()
        if kind == "co-sell" and self._deals.quirks.tracking_on != "microsoft":
            facts["trackingInfo"] = untracked() | {"microsoftMsxId": msx_id}
        own = self._deals.create_own(sent, SERVICE, incoming=True, **facts)
        if kind == "co-sell":
            theirs = sent | {"engagementId": own["engagementId"], "externalReferenceId": None}
            self._deals.create_microsofts(theirs, SERVICE, accepted_as=msx_id)
        return JSONResponse(render(self._deals.layout, self._deals.stored(own), self._deals.quirks), 201)

    async def act(self, request: Request) -> Response:
        """`{"action": "accept" | "decline" | "win" | "lose" | "expire" | "edit", "reason": …, "changes": {…}}`."""
        body = await json_body(request)
        action = body.get("action") if isinstance(body, dict) else None
        before = self._record(request.path_params["id"])
        if action == "edit":
            after = self._edited(before, body.get("changes"))
        elif action in _MOVES:
            after = self._moved(before, action, body)
        else:
            raise Refusal(400, "", f"'{action}' is no action; use edit or one of {', '.join(_MOVES)}.")
        document = self._deals.change(before, after, SERVICE)
        return JSONResponse(render(self._deals.layout, document, self._deals.quirks))

    async def join(self, request: Request) -> Response:
        """Another partner is invited into the deal: `{}` → that partner's record."""
        records = self._deals.store.engagement(request.path_params["id"])
        if not records:
            raise Refusal(404, "", f"There is no engagement '{request.path_params['id']}'.")
        invited = self._deals.create_partners(records[0], SERVICE)
        return JSONResponse(render(self._deals.layout, invited, self._deals.quirks), 201)

    async def decree(self, request: Request) -> Response:
        """Any properties, as the service sets them by itself and no rule forbids: an Error, a word nobody knows."""
        before, facts = self._deals.store.referral(request.path_params["id"]), await json_body(request)
        if before is None or not isinstance(facts, dict):
            raise Refusal(404 if before is None else 400, "", "Send a partial referral to one that exists.")
        document = self._deals.change(before, merged(before, facts), SERVICE)
        return JSONResponse(render(self._deals.layout, document, self._deals.quirks))

    def _record(self, engagement_id: str) -> Document:
        records = [record for record in self._deals.store.engagement(engagement_id) if is_microsofts(record)]
        if not records:
            raise Refusal(404, "", f"Microsoft is not part of an engagement '{engagement_id}'.")
        return max(records, key=lambda record: str(record["createdDateTime"]))

    def _moved(self, before: Document, action: str, body: Document) -> Document:
        needed, status, substatus = _MOVES[action]
        if before["status"] != needed:
            raise Refusal(400, "", f"Microsoft cannot {action} a referral that is {before['status']}.")
        if action == "accept":
            return before | self._deals.acceptance(before, str(body.get("msx_id") or new_msx_id()))
        reason = body.get("reason") or ("Customer chose another vendor" if action in ("decline", "lose") else None)
        return before | {"status": status, "substatus": substatus, "statusReason": reason}

    def _edited(self, before: Document, changes: Any) -> Document:
        if not isinstance(changes, dict):
            raise Refusal(400, "", 'Send {"action": "edit", "changes": {…partial referral}}.')
        bound = dated(schema.bind(changes, schema.REFERRAL, "", strict=True), self._deals.quirks)
        after = merged(before, bound)
        after = merged(after, complete(after, schema.REFERRAL))
        rules.check_change(before, after, strict=False)
        return after  # type: ignore[no-any-return]  # a merge of two objects is an object
