"""The token endpoints, v1 and v2: client credentials, refresh token, device code.

Errors have Entra's shape and numbers, since msal and the connector branch on them. Which grants exist and what they
need follows the Microsoft identity platform's protocol pages. State is `directory`; who signs in is `sign_in`.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.entra.directory import Directory
from sandbox.layout import Layout
from sandbox.tokens import KEY_ID, signing_key
from sandbox.web import Refusal, Simulator, form_body, issue_token

KEY_VAULT = "https://vault.azure.net"
_NOT_A_RESOURCE = {"openid", "profile", "offline_access", "email"}
_DEVICE_CODE_GRANTS = {"urn:ietf:params:oauth:grant-type:device_code", "device_code"}
_SENTENCES = {
    50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    70000: "Provided grant is invalid or malformed.",
    70016: "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    70018: "Device flow authorization was declined by the user.",
    70020: "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    700082: "The refresh token has expired due to inactivity.",
    9002313: "Invalid request. Request is malformed or invalid.",
}


def oauth_refusal(error: str, number: int, sentence: str = "", status: int = 400) -> Refusal:
    """A refusal whose code is OAuth's error word and whose message begins with Entra's number."""
    return Refusal(status, error, f"AADSTS{number}: {sentence or _SENTENCES[number]}")


def render_oauth(request: Request, refusal: Refusal, now: str) -> Response:
    """Entra's error document; msal reads `error`, `error_description` and `error_codes`."""
    number = refusal.message.removeprefix("AADSTS").partition(":")[0]
    busy = refusal.status in (429, 503)
    return JSONResponse(
        {
            "error": refusal.code or ("temporarily_unavailable" if busy else "invalid_request"),
            "error_description": refusal.message,
            "error_codes": [int(number)] if number.isdigit() else [],
            "timestamp": now,
            "trace_id": str(uuid.uuid4()),
            "correlation_id": request.headers.get("client-request-id", str(uuid.uuid4())),
        },
        refusal.status,
    )


class TokenEndpoint:
    """Issues what `POST …/token` asks for."""

    def __init__(self, layout: Layout, directory: Directory, simulator: Simulator) -> None:
        self._layout = layout
        self._directory = directory
        self._simulator = simulator
        self._resources = {
            layout.partner_center_url,
            layout.dataverse_url,
            KEY_VAULT,
            "https://servicebus.azure.net",
            "https://graph.microsoft.com",
        }

    async def version_2(self, request: Request) -> Response:
        form = await self._form(request)
        scope = form.get("scope", "")
        if form.get("grant_type") in _DEVICE_CODE_GRANTS and not scope:
            return JSONResponse(self._answer(form, ""))  # the scope was named when the code was asked for
        return JSONResponse(self._answer(form, self._audience_of_scope(scope)))

    async def version_1(self, request: Request) -> Response:
        """As version 2, but the audience is named as `resource` and every number is a string."""
        form = await self._form(request)
        audience = self._known(form.get("resource", ""))
        answer = self._answer(form, audience)
        now = int(self._simulator.now().timestamp())
        answer |= {
            "resource": audience,
            "expires_in": str(answer["expires_in"]),
            "ext_expires_in": str(answer["ext_expires_in"]),
            "expires_on": str(now + int(answer["expires_in"])),
            "not_before": str(now),
        }
        return JSONResponse(answer)

    async def _form(self, request: Request) -> dict[str, str]:
        check_tenant(self._layout, request)
        return await form_body(request)

    def _audience_of_scope(self, scope: str) -> str:
        wanted = {word.rpartition("/")[0] for word in scope.split() if word not in _NOT_A_RESOURCE}
        if not scope.strip():
            raise oauth_refusal("invalid_request", 900144, "The request body must contain the parameter: 'scope'.")
        if len(wanted) > 1:
            raise oauth_refusal("invalid_scope", 28000, "The scope asks for more than one resource.")
        return self._known(wanted.pop()) if wanted else "https://graph.microsoft.com"

    def _known(self, resource: str) -> str:
        if resource.rstrip("/") not in self._resources:
            raise oauth_refusal("invalid_resource", 500011, f"The resource principal named {resource} was not found.")
        return resource.rstrip("/")

    def _answer(self, form: dict[str, str], audience: str) -> dict[str, Any]:
        grant = form.get("grant_type", "")
        client_id = form.get("client_id", "")
        if client_id != self._layout.app_client_id:
            raise oauth_refusal("unauthorized_client", 700016, f"Application '{client_id}' was not found.")
        # A device code may be redeemed by a public client, which has no secret; a wrong secret is refused everywhere.
        if grant not in _DEVICE_CODE_GRANTS or "client_secret" in form:
            self._check_secret(form.get("client_secret", ""))
        if grant == "client_credentials":
            return self._tokens(audience, client_id)
        if grant == "refresh_token":
            used = self._directory.use_refresh_token(form.get("refresh_token", ""), client_id)
            if isinstance(used, int):
                raise oauth_refusal("invalid_grant", used)
            return self._tokens(audience, client_id, user=used[0], refresh_token=used[1])
        if grant in _DEVICE_CODE_GRANTS:
            code = self._directory.redeem_device_code(form.get("device_code", form.get("code", "")), client_id)
            if isinstance(code, tuple):
                raise oauth_refusal(*code)
            user = self._layout.service_user
            fresh = self._directory.new_refresh_token(user, client_id)
            return self._tokens(self._audience_of_scope(code.scope), client_id, user=user, refresh_token=fresh)
        raise oauth_refusal("unsupported_grant_type", 70003, f"The grant type '{grant}' is not supported.")

    def _check_secret(self, secret: str) -> None:
        if not secret:
            sentence = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise oauth_refusal("invalid_client", 7000218, sentence, 401)
        if secret != self._layout.app_client_secret:
            raise oauth_refusal("invalid_client", 7000215, "Invalid client secret provided.", 401)

    def _tokens(
        self, audience: str, client_id: str, *, user: str = "", refresh_token: str | None = None
    ) -> dict[str, Any]:
        layout, switches, now = self._layout, self._directory.switches, self._simulator.now()
        token = issue_token(
            layout,
            audience=audience,
            client_id=client_id,
            now=now,
            user=user,
            object_id="" if user else layout.app_user_id,
            roles=[switches.role] if user and switches.role != "none" else [],
            mfa=switches.mfa,
            app_only=not user,
            expires_in_s=switches.expires_in_s,
        )
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": switches.expires_in_s,
            "ext_expires_in": switches.expires_in_s,
            "access_token": token,
        }
        if not user:
            return answer
        object_id = str(uuid.uuid5(uuid.NAMESPACE_URL, user))
        identity = {
            "aud": client_id,
            "iss": f"{layout.entra_url}/{layout.tenant_id}/v2.0",
            "sub": object_id,
            "oid": object_id,
            "tid": layout.tenant_id,
            "preferred_username": user,
            "upn": user,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
        }
        about = {"uid": object_id, "utid": layout.tenant_id}
        answer |= {
            "scope": f"{audience}/user_impersonation",
            "id_token": jwt.encode(identity, signing_key(layout.token_key), algorithm="RS256", headers={"kid": KEY_ID}),
            "client_info": base64.urlsafe_b64encode(json.dumps(about).encode()).decode().rstrip("="),
        }
        if refresh_token:
            answer["refresh_token"] = refresh_token
        return answer


def check_tenant(layout: Layout, request: Request) -> None:
    """Refuses requests for another tenant."""
    tenant = request.path_params["tenant"]
    if tenant not in (layout.tenant_id, "common", "organizations"):
        raise oauth_refusal("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
