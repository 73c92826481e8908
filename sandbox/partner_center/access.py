"""Who may call: the token rules of the two APIs and what a user's role lets them see.

Both APIs stand on one port here, so both take the same audience, `Layout.partner_center_url`; the vendor's two hosts
have two. Referrals are for users only, with a second factor since April 2026; registrations are also for apps. Roles
travel in the token, because there is no directory to ask.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from sandbox.layout import Layout
from sandbox.partner_center.document import is_microsofts
from sandbox.partner_center.store import Document
from sandbox.web import Claims, Refusal, require_token

NO_MFA = "900421"


def referrals_caller(request: Request, layout: Layout) -> Claims:
    """A user with a second factor and a referrals role; `Refusal` 401 or 403."""
    claims = require_token(request, layout, layout.partner_center_url)
    if claims.app_only:
        raise Refusal(403, "accessDenied", "Application-only access is not supported; sign in as a user.")
    _require_mfa(claims)
    if not {"ReferralsAdmin", "ReferralsUser"} & set(claims.roles):
        raise Refusal(403, "accessDenied", "The user has no referrals role.")
    return claims


def registration_caller(request: Request, layout: Layout) -> Claims:
    """An app, or a referrals admin with a second factor."""
    claims = require_token(request, layout, layout.partner_center_url)
    if claims.app_only:
        return claims
    _require_mfa(claims)
    if "ReferralsAdmin" not in claims.roles:
        raise Refusal(403, "2032", "Access denied.")
    return claims


def require_admin(claims: Claims) -> None:
    if "ReferralsAdmin" not in claims.roles:
        raise Refusal(403, "accessDenied", "Only a referrals admin can create or change referrals.")


def visible(documents: Iterable[Document], claims: Claims) -> list[Document]:
    """An admin sees all; a user the deals whose team they are on, with Microsoft's records of these."""
    found = list(documents)
    if "ReferralsAdmin" in claims.roles:
        return found
    user = claims.user.lower()
    joined = {
        document["engagementId"]
        for document in found
        if not is_microsofts(document) and any((m["email"] or "").lower() == user for m in document["team"])
    }
    return [document for document in found if document["engagementId"] in joined]


def _require_mfa(claims: Claims) -> None:
    if not claims.mfa:
        raise Refusal(401, NO_MFA, "Unauthorized - MFA required.")
