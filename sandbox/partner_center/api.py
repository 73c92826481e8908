"""The referrals API: list, read, create, patch. `PUT` exists at the vendor but is deprecated; here it answers 405.

Translates HTTP into calls of `deals` and back; access is `access`, decisions are `rules`, `patch` and `listing`.
Contract: Partner Center referrals API reference and the referrals connector's OpenAPI file.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.partner_center import access, listing, patch, rules, schema
from sandbox.partner_center.deals import Actor, Deals
from sandbox.partner_center.document import is_microsofts, is_open
from sandbox.partner_center.rendering import context, headers, render
from sandbox.partner_center.schema import invalid
from sandbox.partner_center.store import Document
from sandbox.web import Claims, Refusal

_ONE = listing.LIST_PATH + "/{id}"
_MOST_BODY = 1_048_576


class ReferralsApi:
    """Routes below /v1.0/engagements/referrals."""

    def __init__(self, deals: Deals) -> None:
        self._deals = deals
        self._layout = deals.layout

    def routes(self) -> list[Route]:
        return [
            Route(listing.LIST_PATH, self.list, methods=["GET"]),
            Route(listing.LIST_PATH, self.create, methods=["POST"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.patch, methods=["PATCH"]),
        ]

    async def list(self, request: Request) -> Response:
        claims = self._enter(request)
        quirks = self._deals.quirks
        query = listing.read_query(request.query_params)
        store = self._deals.store
        documents = (
            store.referrals_as_of(self._deals.now() - timedelta(seconds=quirks.list_lag_s))
            if quirks.list_lag_s
            else store.referrals()
        )
        page = listing.page(self._layout, access.visible(documents, claims), query, quirks)
        wanted = {name.lower() for name in page.select}
        rows = [render(self._layout, row, quirks) for row in page.rows]
        if wanted:
            rows = [{name: value for name, value in row.items() if name.lower() in wanted} for row in rows]
        body: Document = {
            "@odata.context": context(self._layout, "Referrals"),
            "@odata.count": page.count,
            "value": rows,
        }
        if page.next_link:
            body["@odata.nextLink"] = page.next_link
        return JSONResponse(body, headers=self._headers(request, claims))

    async def read(self, request: Request) -> Response:
        claims = self._enter(request)
        return self._answer(request, claims, self._find(request, claims))

    async def create(self, request: Request) -> Response:
        claims = self._enter(request)
        access.require_admin(claims)
        quirks = self._deals.quirks
        sent = schema.bind(await _json(request), schema.REFERRAL, "", strict=quirks.strict)
        if sent is None:
            raise invalid("The body must be a referral.", "/")
        rules.check_new(sent, quirks)
        engagement = self._deals.store.engagement(sent.get("engagementId") or "")
        actor = Actor(claims.client_id)
        if rules.addresses_microsoft(sent):
            rules.check_invitation(sent, engagement)
            document = self._deals.create_microsofts(sent, actor)
        elif sent.get("engagementId"):
            why = "has a referral of your organisation already" if engagement else "does not exist"
            raise invalid(f"The engagement '{sent['engagementId']}' {why}.", "/engagementId")
        else:
            document = self._deals.create_own(sent, actor)
        answer = self._answer(request, claims, document, quirks.create_status, without_etag=quirks.omit_etag_on_create)
        answer.headers["Location"] = f"{self._layout.partner_center_url}{listing.LIST_PATH}/{document['id']}"
        return answer

    async def patch(self, request: Request) -> Response:
        claims = self._enter(request)
        access.require_admin(claims)
        quirks = self._deals.quirks
        operations = await _json(request)
        # No await from here on: the version that is compared is the version that is changed.
        before = self._find(request, claims)
        if is_microsofts(before):
            raise Refusal(403, "accessDenied", "The referral belongs to another organisation.", target="referral")
        condition = request.headers.get("if-match")
        if condition is not None and condition != before["eTag"]:
            code = "resourceModified" if quirks.conflict_status == 409 else "preconditionFailed"
            raise Refusal(quirks.conflict_status, code, "The referral was changed meanwhile.", target="eTag")
        after = patch.apply(before, operations, self._deals.now())
        rules.check_change(before, after, strict=quirks.strict)
        # A closed referral takes only what changes nothing, and then nothing is written.
        unchanged = not is_open(before) and after == before
        document = before if unchanged else self._deals.change(before, after, Actor(claims.client_id))
        if "return=representation" in request.headers.get("prefer", ""):
            return self._answer(request, claims, document)
        return Response(status_code=204, headers=self._headers(request, claims) | {"ETag": document["eTag"]})

    def _enter(self, request: Request) -> Claims:
        claims = access.referrals_caller(request, self._layout)
        self._deals.expire_due()
        return claims

    def _find(self, request: Request, claims: Claims) -> Document:
        """The referral of the path, if the caller may see it."""
        referral_id = request.path_params["id"]
        document = self._deals.store.referral(referral_id)
        related = self._deals.store.engagement(document["engagementId"]) if document else []
        if document is None or document not in access.visible(related, claims):
            raise Refusal(404, "itemNotFound", f"The referral '{referral_id}' was not found.", target="referral")
        return document

    def _answer(
        self, request: Request, claims: Claims, document: Document, status: int = 200, *, without_etag: bool = False
    ) -> Response:
        body = {"@odata.context": context(self._layout, "Referrals/$entity")}
        body |= render(self._layout, document, self._deals.quirks)
        if without_etag:
            del body["eTag"]
            return JSONResponse(body, status, self._headers(request, claims))
        return JSONResponse(body, status, self._headers(request, claims) | {"ETag": document["eTag"]})

    def _headers(self, request: Request, claims: Claims) -> dict[str, str]:
        validated = {"isMfaCompliant": str(claims.mfa).lower()} if "validatemfa" in request.headers else {}
        return headers(request, self._deals.now()) | validated


async def _json(request: Request) -> Any:
    """The JSON body; `Refusal` 400, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "invalidRequest", f"The content type '{kind}' is not supported; use application/json.")
    size = 0
    parts = []
    async for part in request.stream():
        size += len(part)
        if size > _MOST_BODY:
            raise Refusal(413, "invalidRequest", "The request body is too large.")
        parts.append(part)
    try:
        return json.loads(b"".join(parts), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not valid JSON.", "/") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
