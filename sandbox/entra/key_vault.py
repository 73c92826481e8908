"""Key Vault's secrets: read and write, with the bearer challenge that azure-keyvault-secrets starts with.

The address is not a vault.azure.net one, so clients must be made with `verify_challenge_resource=False`. Deleting,
listing and recovering are left out: the connector never does them. Values live in `directory`.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.entra.directory import Directory, SecretVersion
from sandbox.entra.token_endpoint import KEY_VAULT
from sandbox.layout import Layout
from sandbox.web import Refusal, Simulator, TokenRefused, json_body, require_token

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_LONGEST_VALUE = 25_000


def render_vault(refusal: Refusal) -> Response:
    """Key Vault's error document."""
    code = {401: "Unauthorized", 403: "Forbidden", 404: "SecretNotFound", 429: "Throttled"}
    return JSONResponse(
        {"error": {"code": refusal.code or code.get(refusal.status, "BadParameter"), "message": refusal.message}},
        refusal.status,
    )


class KeyVault:
    """Routes below /secrets."""

    def __init__(self, layout: Layout, directory: Directory, simulator: Simulator) -> None:
        self._layout = layout
        self._directory = directory
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route("/secrets/{name}", self.set, methods=["PUT"]),
            Route("/secrets/{name}", self.get, methods=["GET"]),
            Route("/secrets/{name}/", self.get, methods=["GET"]),
            Route("/secrets/{name}/{version}", self.get, methods=["GET"]),
        ]

    async def get(self, request: Request) -> Response:
        self._authorize(request)
        name = request.path_params["name"]
        secret = self._directory.secret(name, request.path_params.get("version"))
        if secret is None:
            raise Refusal(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        if not secret.enabled:
            raise Refusal(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
        return JSONResponse(self._document(name, secret))

    async def set(self, request: Request) -> Response:
        self._authorize(request)
        name = request.path_params["name"]
        if not _NAME.fullmatch(name):
            raise Refusal(400, "BadParameter", f"The request URI contains an invalid name: {name}")
        body = await json_body(request)
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise Refusal(
                400, "BadParameter", f"Property value must be a string of at most {_LONGEST_VALUE} characters"
            )
        attributes = body.get("attributes") or {}
        secret = SecretVersion(
            value=value,
            created_at=self._simulator.now(),
            content_type=body.get("contentType"),
            tags=body.get("tags") or {},
            enabled=attributes.get("enabled", True),
            expires=attributes.get("exp"),
            not_before=attributes.get("nbf"),
        )
        return JSONResponse(self._document(name, self._directory.store_secret(name, secret)))

    def _authorize(self, request: Request) -> None:
        try:
            require_token(request, self._layout, KEY_VAULT)
        except TokenRefused as refused:
            authority = f"{self._layout.entra_url}/{self._layout.tenant_id}"
            challenge = f'Bearer authorization="{authority}", resource="{KEY_VAULT}"'
            raise Refusal(401, "Unauthorized", refused.message, headers={"WWW-Authenticate": challenge}) from refused

    def _document(self, name: str, secret: SecretVersion) -> dict[str, Any]:
        created = int(secret.created_at.timestamp())
        attributes = {
            "enabled": secret.enabled,
            "exp": secret.expires,
            "nbf": secret.not_before,
            "created": created,
            "updated": created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        document = {
            "value": secret.value,
            "contentType": secret.content_type,
            "id": f"{self._layout.key_vault_url}/secrets/{name}/{secret.version}",
            "attributes": {key: item for key, item in attributes.items() if item is not None},
            "tags": secret.tags,
        }
        return {key: item for key, item in document.items() if item is not None}
