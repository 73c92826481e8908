"""Discovery, signing keys and the device-code sign-in, with the page where a person confirms the code.

The page is the only thing of this simulator meant for human eyes. The redeeming of codes is in `token_endpoint`.
"""

from __future__ import annotations

import html
import json
from typing import Any

from jwt.algorithms import RSAAlgorithm
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.entra.directory import DEVICE_CODE_LIFETIME_S, Directory
from sandbox.entra.token_endpoint import check_tenant, oauth_refusal
from sandbox.layout import Layout
from sandbox.tokens import KEY_ID, signing_key
from sandbox.web import form_body

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox sign-in</title>
<body style="font-family: sans-serif; max-width: 30em; margin: 4em auto">
<h1>Sandbox sign-in</h1><p>{message}</p>
<form method="post"><label>Code <input name="user_code" value="{code}" autofocus></label>
<button name="answer" value="approve">Sign in as {user}</button>
<button name="answer" value="decline">Cancel</button></form></body></html>"""


class SignIn:
    """Routes of discovery and of the device-code flow."""

    def __init__(self, layout: Layout, directory: Directory) -> None:
        self._layout = layout
        self._directory = directory

    def routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self.configuration, methods=["GET"]),
            Route("/{tenant}/.well-known/openid-configuration", self.configuration, methods=["GET"]),
            Route("/{tenant}/discovery/v2.0/keys", self.keys, methods=["GET"]),
            Route("/{tenant}/oauth2/v2.0/devicecode", self.new_code, methods=["POST"]),
            Route("/devicelogin", self.page, methods=["GET"]),
            Route("/devicelogin", self.confirm, methods=["POST"]),
        ]

    async def configuration(self, request: Request) -> Response:
        check_tenant(self._layout, request)
        base = f"{self._layout.entra_url}/{self._layout.tenant_id}"
        version = "/v2.0" if "/v2.0/" in request.url.path else ""
        endpoints: dict[str, Any] = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2{version}/authorize",
            "token_endpoint": f"{base}/oauth2{version}/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
        return JSONResponse(endpoints)

    async def keys(self, request: Request) -> Response:
        check_tenant(self._layout, request)
        public = json.loads(RSAAlgorithm.to_jwk(signing_key(self._layout.token_key).public_key()))
        return JSONResponse({"keys": [public | {"kid": KEY_ID, "use": "sig"}]})

    async def new_code(self, request: Request) -> Response:
        check_tenant(self._layout, request)
        form = await form_body(request)
        client_id, scope = form.get("client_id", ""), form.get("scope", "")
        if client_id != self._layout.app_client_id:
            raise oauth_refusal("unauthorized_client", 700016, f"Application '{client_id}' was not found.")
        code = self._directory.new_device_code(client_id, scope)
        address = f"{self._layout.entra_url}/devicelogin"
        return JSONResponse(
            {
                "user_code": code.user_code,
                "device_code": code.device_code,
                "verification_uri": address,
                "expires_in": DEVICE_CODE_LIFETIME_S,
                "interval": 1,
                "message": f"To sign in, open {address} in a web browser and enter the code {code.user_code}.",
            }
        )

    async def page(self, request: Request) -> Response:
        code = request.query_params.get("code", "")
        return self._show("Enter the code shown by the program that wants to sign in.", code=code)

    async def confirm(self, request: Request) -> Response:
        form = await form_body(request)
        approve = form.get("answer", "approve") == "approve"
        if not self._directory.answer_device_code(form.get("user_code", ""), approve=approve):
            return self._show("No sign-in waits for this code; ask for a new one.", status=400)
        return self._show("Done. Close this page." if approve else "Cancelled. Close this page.")

    def _show(self, message: str, *, code: str = "", status: int = 200) -> Response:
        shown = {"message": message, "code": code, "user": self._layout.service_user}
        return HTMLResponse(_PAGE.format_map({name: html.escape(text) for name, text in shown.items()}), status)
